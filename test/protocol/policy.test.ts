/** The group policy's version in the heart (§1.8, §2.6): heard, fetched, announced, enforced. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Message } from '@peerage/core/protocol/message.js';
import { hello, messages, Stage } from './stage.js';

function helloWith(policy: number): Message {
  const message = hello();
  return message.type === 'hello' ? { ...message, policy } : message;
}

describe('the version of the group policy', () => {
  it('travels in every hello once there is one, in the first one too', () => {
    const stage = new Stage();
    stage.peer.policyGrew(stage.now, 3);
    const [first] = messages(stage.peer.start(stage.now), 'hello');
    equal(first?.policy, 3);
    const none = messages(new Stage().peer.start(0), 'hello')[0];
    ok(none !== undefined && !('policy' in none));
  });

  it('is fetched from a member that has a higher one, and from no other', () => {
    const stage = new Stage().started('a');
    stage.peer.policyGrew(stage.now, 3);
    for (const version of [0, 1, 3]) {
      const effects = stage.hear('a', helloWith(version));
      equal(effects.filter(({ kind }) => kind === 'fetch-policy').length, 0);
    }
    const [effect] = stage.hear('b', helloWith(4));
    ok(effect?.kind === 'fetch-policy');
    deepEqual([effect.version, effect.from.kid], [4, 'b']);
  });

  it('when it grew is announced once, within a second', () => {
    const stage = new Stage().started('a');
    stage.peer.policyGrew(stage.now, 1);
    const said = stage.pass(1000).map(({ effect }) => effect);
    deepEqual(
      messages(said, 'hello').map(({ policy, to }) => [policy, to]),
      [[1, undefined]],
    );
  });

  it('is not announced any more when three others did, of this version', () => {
    const stage = new Stage().started('a', 'b', 'c');
    stage.peer.policyGrew(stage.now, 2);
    for (const kid of ['a', 'b', 'c']) stage.hear(kid, helloWith(1));
    stage.hear('a', helloWith(2));
    stage.hear('b', helloWith(2));
    const undone = stage.peer.wakeAt;
    ok(undone !== undefined && undone <= stage.now + 1000);
    stage.hear('c', helloWith(2));
    equal(
      messages(
        stage.pass(1000).map(({ effect }) => effect),
        'hello',
      ).length,
      0,
    );
  });

  it('does not grow twice, and does not shrink', () => {
    const stage = new Stage().started('a');
    stage.peer.policyGrew(stage.now, 2);
    stage.pass(1000);
    stage.peer.policyGrew(stage.now, 2);
    stage.peer.policyGrew(stage.now, 1);
    equal(
      messages(
        stage.pass(1000).map(({ effect }) => effect),
        'hello',
      ).length,
      0,
    );
    const [beacon] = messages(
      stage.pass(20_000).map(({ effect }) => effect),
      'hello',
    );
    equal(beacon?.policy, 2);
  });

  it('a new key of our own is announced whatever others say', () => {
    const stage = new Stage().started('a', 'b', 'c');
    stage.peer.renewed(stage.now);
    for (const kid of ['a', 'b', 'c', 'a', 'b', 'c']) stage.hear(kid, hello());
    equal(
      messages(
        stage.pass(1000).map(({ effect }) => effect),
        'hello',
      ).length,
      1,
    );
  });

  it('who is expelled is no member any more', () => {
    const stage = new Stage().started('a', 'b');
    stage.peer.expel(stage.now, new Set(['name-of-a']));
    deepEqual(
      [...stage.peer.members.values()].map(({ name }) => name),
      ['name-of-b'],
    );
  });

  it('in a group of one nothing is sent of it', () => {
    const stage = new Stage({ peering: false }).started();
    deepEqual(stage.peer.policyGrew(stage.now, 5), []);
    equal(stage.pass(60_000).length, 0);
  });
});
