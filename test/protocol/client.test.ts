/** The client's life, sentence by sentence (PROTOCOL §4, §1.3, §1.4). */
import assert from 'node:assert/strict';
import type { PeerSource } from '@peerage/core/protocol/effect.js';
import { COPY, hello, messages, request, Stage, sender } from './stage.js';

const effectsOf = (done: ReturnType<Stage['pass']>) => done.map(({ effect }) => effect);

describe('the client (§4)', () => {
  it('goes to the Internet at once only when a completed count has found nobody (§4.3)', () => {
    const stage = new Stage().started();
    const [effect] = stage.want().effects;
    assert.deepEqual(effect, {
      kind: 'retrieve',
      want: effect?.kind === 'retrieve' ? effect.want : -1,
      source: { kind: 'origin', reason: 'alone' },
    });
  });

  it('lets a want that comes before the count wait for it (§4.3)', () => {
    const stage = new Stage();
    stage.peer.start(stage.now);
    assert.deepEqual(stage.want().effects, []);
    const done = stage.pass(60).filter(({ effect }) => effect.kind === 'retrieve');
    assert.equal(done.length, 1);
    assert.ok((done[0]?.at ?? 0) - 1000 >= 40, 'T(256) + 12 ms');
  });

  it('broadcasts, repeats at 5 and 10 ms, and declares a miss at the deadline (§4.4)', () => {
    const stage = new Stage().started('p');
    const start = stage.now;
    assert.equal(messages(stage.want({ waitMaxMs: 0 }).effects, 'request').length, 1);
    const done = stage.pass(100);
    const requests = done.filter(({ effect }) => messages([effect], 'request').length > 0);
    assert.deepEqual(
      requests.map(({ at }) => at - start),
      [5, 10],
    );
    const miss = done.find(({ effect }) => effect.kind === 'retrieve');
    assert.equal((miss?.at ?? 0) - start, 17, 'T = 5 ms for one peer, deadline T + 12');
  });

  it('asks an overheard holder directly, at once, and broadcasts nothing if it has it (§4.2)', () => {
    const stage = new Stage().started('p');
    stage.hear('p', request({ id: 9 }));
    const { effects } = stage.want();
    const [sent] = messages(effects, 'request');
    assert.ok(sent !== undefined && sent.to === 'p' && sent.delay.windowMs === 0);
    const after = stage.hear('p', stage.answer(sent));
    assert.equal(after.filter(({ kind }) => kind === 'retrieve').length, 1);
    assert.equal(after.filter(({ kind }) => kind === 'broadcast').length, 0);
  });

  it('asks the next candidate on "none", and broadcasts when all said so (§4.2, §4.3)', () => {
    const stage = new Stage().started('p', 'qq');
    for (const kid of ['p', 'qq']) stage.hear(kid, request({ id: 9 }));
    const [first] = messages(stage.want().effects, 'request');
    assert.ok(first?.to !== undefined);
    const [second] = messages(stage.hear(first.to, stage.none(first)), 'request');
    assert.ok(second?.to !== undefined && second.to !== first.to);
    const [third] = messages(stage.hear(second.to, stage.none(second)), 'request');
    assert.ok(third !== undefined && third.to === undefined, 'a broadcast');
  });

  it('says "I found" to everybody after the first answer, and takes it from there (§4.5)', () => {
    const stage = new Stage().started('p');
    const [sent] = messages(stage.want().effects, 'request');
    assert.ok(sent);
    const after = stage.hear('p', stage.answer(sent));
    assert.deepEqual(
      after.map(({ kind }) => kind),
      ['broadcast', 'retrieve'],
    );
    assert.equal(messages(after, 'end-request')[0]?.source, 'p');
  });

  it('repeats "I found" when a further answer comes, at most every 4 ms (§4.4)', () => {
    const stage = new Stage().started('p', 'qq', 'rrr');
    const [sent] = messages(stage.want().effects, 'request');
    assert.ok(sent);
    stage.hear('p', stage.answer(sent));
    assert.equal(messages(stage.hear('qq', stage.answer(sent)), 'end-request').length, 0);
    stage.now += 4;
    assert.equal(messages(stage.hear('rrr', stage.answer(sent)), 'end-request').length, 1);
  });

  it('repeats it also when the bytes are there already, until the deadline (§4.4)', () => {
    const stage = new Stage().started('p', 'qq');
    const { id, effects } = stage.want();
    const [sent] = messages(effects, 'request');
    assert.ok(sent);
    stage.hear('p', stage.answer(sent));
    stage.peer.retrieved(stage.now, id, 'ok');
    stage.now += 5;
    assert.equal(messages(stage.hear('qq', stage.answer(sent)), 'end-request').length, 1);
    stage.pass(100);
    assert.equal(messages(stage.hear('qq', stage.answer(sent)), 'end-request').length, 0);
  });

  it("ignores an answer whose nonce is not the request's", () => {
    const stage = new Stage().started('p');
    const [sent] = messages(stage.want().effects, 'request');
    assert.ok(sent);
    assert.deepEqual(stage.hear('p', { ...stage.answer(sent), nonce: `${'X'.repeat(21)}A` }), []);
  });

  it('takes the next source when one fails, and bans the one that lied (§4.6)', () => {
    const stage = new Stage().started('p', 'qq');
    const { id, effects } = stage.want();
    const [sent] = messages(effects, 'request');
    assert.ok(sent);
    const [, taken] = stage.hear('p', stage.answer(sent));
    stage.hear('qq', stage.answer(sent));
    assert.ok(taken?.kind === 'retrieve' && taken.source.kind === 'peer');
    const next = stage.peer.retrieved(stage.now, id, 'lied', taken.source as PeerSource);
    const [again] = next.filter(({ kind }) => kind === 'retrieve');
    assert.ok(
      again?.kind === 'retrieve' && again.source.kind === 'peer' && again.source.kid === 'qq',
    );
    assert.deepEqual(stage.peer.banned(stage.now), ['name-of-p']);
    const other = messages(stage.want({ href: 'http://origin.test/other' }).effects, 'request')[0];
    assert.ok(other);
    assert.deepEqual(stage.hear('p', stage.answer(other)), [], 'a banned node is not believed');
  });

  for (const [result, after] of [
    ['failed', []],
    ['lied', ['name-of-p']],
  ] as const) {
    it(`left alone because it ${result}, a source that was started anew is ${after.length === 0 ? 'heard' : 'left alone still'} (§4.6)`, () => {
      const stage = new Stage().started('p');
      const { id, effects } = stage.want();
      const [sent] = messages(effects, 'request');
      assert.ok(sent);
      const [, taken] = stage.hear('p', stage.answer(sent));
      assert.ok(taken?.kind === 'retrieve');
      stage.peer.retrieved(stage.now, id, result, taken.source as PeerSource);
      stage.hear('p', hello());
      assert.deepEqual(stage.peer.banned(stage.now), ['name-of-p']);
      const from = { ...sender('p'), boot: 'another boot' };
      stage.peer.receive(stage.now, { from, message: hello() });
      assert.deepEqual(stage.peer.banned(stage.now), after);
    });
  }

  it('a source that calls itself new again and again is forgiven four times at once, then once in 30 s (§4.6)', () => {
    const stage = new Stage().started('p');
    const fail = () => {
      const { id, effects } = stage.want();
      const [sent] = messages(effects, 'request');
      assert.ok(sent);
      const [, taken] = stage.hear('p', stage.answer(sent));
      assert.ok(taken?.kind === 'retrieve');
      stage.peer.retrieved(stage.now, id, 'failed', taken.source as PeerSource);
    };
    const restart = (boot: string) => {
      stage.peer.receive(stage.now, { from: { ...sender('p'), boot }, message: hello() });
      return stage.peer.banned(stage.now);
    };
    fail();
    assert.deepEqual(stage.hear('p', { type: 'bye' }), []);
    stage.hear('p', hello());
    assert.deepEqual(stage.peer.banned(stage.now), ['name-of-p'], 'the same run, only said anew');
    for (const boot of ['one', 'two', 'three', 'four']) {
      assert.deepEqual(restart(boot), []);
      fail();
    }
    assert.deepEqual(restart('five'), ['name-of-p']);
  });

  it('goes to the Internet when all sources failed, and settles exactly once', () => {
    const stage = new Stage().started('p');
    const { id, effects } = stage.want({ waitMaxMs: 0 });
    const [sent] = messages(effects, 'request');
    assert.ok(sent);
    const [, taken] = stage.hear('p', stage.answer(sent));
    assert.ok(taken?.kind === 'retrieve');
    const [origin] = stage.peer.retrieved(stage.now, id, 'failed', taken.source as PeerSource);
    assert.deepEqual(origin, {
      kind: 'retrieve',
      want: id,
      source: { kind: 'origin', reason: 'sources-failed' },
    });
    const settled = stage.peer.retrieved(stage.now, id, 'ok');
    assert.deepEqual(settled, [{ kind: 'settle', want: id, ok: true }]);
    assert.deepEqual(
      effectsOf(stage.pass(1000)).filter(({ kind }) => kind === 'settle'),
      [],
    );
  });

  it('in the classic profile asks once, uniform in 2000 ms, and waits 2200 ms (§1.4)', () => {
    const stage = new Stage({ profile: 'classic' }).started('p');
    const start = stage.now;
    const [sent] = messages(stage.want().effects, 'request');
    assert.deepEqual(sent?.delay, { distribution: 'uniform', windowMs: 2000, peers: 1 });
    const done = stage.pass(2300);
    assert.equal(done.filter(({ effect }) => messages([effect], 'request').length > 0).length, 0);
    const claimed = done.find(({ effect }) => messages([effect], 'progress').length > 0);
    assert.equal((claimed?.at ?? 0) - start, 2200);
    assert.ok(done.some(({ effect }) => effect.kind === 'retrieve'));
  });

  it('never asks in the server role (§1.3)', () => {
    const stage = new Stage({ client: false }).started('p');
    const [effect] = stage.want().effects;
    assert.ok(effect?.kind === 'retrieve' && effect.source.kind === 'origin');
    assert.equal(effect.source.reason, 'role-server');
  });

  it('carries any number of searches at once, each with its own ID', () => {
    const stage = new Stage().started('p');
    const wants = Array.from({ length: 200 }, (_, i) =>
      stage.want({ href: `http://origin.test/${i}` }),
    );
    assert.equal(new Set(wants.map(({ id }) => id)).size, 200);
    const last = messages(wants[199]?.effects ?? [], 'request')[0];
    assert.ok(last);
    const [, taken] = stage.hear('p', stage.answer(last, COPY));
    assert.ok(taken?.kind === 'retrieve' && taken.want === wants[199]?.id);
  });

  it('sends nothing at all in a group of one', () => {
    const stage = new Stage({ peering: false });
    assert.deepEqual(stage.peer.start(stage.now), []);
    assert.deepEqual(
      stage.want().effects.map(({ kind }) => kind),
      ['retrieve'],
    );
    assert.deepEqual(stage.hear('p', hello({ starting: true })), []);
    assert.deepEqual(stage.pass(60_000), []);
  });
});
