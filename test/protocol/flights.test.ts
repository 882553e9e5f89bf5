/** Flights, sentence by sentence (PROTOCOL §5): one goes to the Internet, the others follow. */
import assert from 'node:assert/strict';
import type { Effect } from '@peerage/core/protocol/effect.js';
import type { Progress } from '@peerage/core/protocol/message.js';
import { messages, request, Stage, WANT } from './stage.js';

const FLIGHT = `/f/${'c'.repeat(64)}`;

function progress(more: Partial<Progress> = {}): Progress {
  const { service, href, variant } = WANT;
  const base = { type: 'progress', service, id: 5, href, variant, flight: FLIGHT } as const;
  return { ...base, receivedBytes: 0, bytesPerSecond: 0, aborted: false, ...more };
}

const retrievals = (effects: readonly Effect[]) =>
  effects.filter(({ kind }) => kind === 'retrieve');
const claims = (effects: readonly Effect[]) => messages(effects, 'progress');

/** A stage whose search has just found nobody. */
function missed(stage: Stage) {
  const { id } = stage.want();
  const early = stage.pass(16).map(({ effect }) => effect);
  assert.deepEqual(retrievals(early), []);
  return id;
}

describe('single flight (§5.3)', () => {
  it('announces that it goes, leaves time to object, and then goes', () => {
    const stage = new Stage().started('p');
    const start = stage.now;
    missed(stage);
    const done = stage.pass(20);
    const claimed = done.find(({ effect }) => claims([effect]).length > 0);
    const went = done.find(({ effect }) => effect.kind === 'retrieve');
    assert.equal((claimed?.at ?? 0) - start, 17);
    assert.equal((went?.at ?? 0) - (claimed?.at ?? 0), 6);
  });

  it('waits its turn: one slot for each requester that comes before it', () => {
    const alone = new Stage().started('p');
    const turns = ['p', 'qq', 'rrr', 'ssss', 'ttttt', 'uuuuuu', 'vvvvvvv', 'wwwwwwww'];
    const crowded = new Stage().started(...turns);
    for (const stage of [alone, crowded]) stage.want();
    for (const kid of turns) crowded.hear(kid, request({ id: 9 }));
    const at = (stage: Stage) =>
      stage.pass(300).find(({ effect }) => claims([effect]).length > 0)?.at ?? 0;
    assert.ok(at(crowded) > at(alone) + 5);
  });

  it('follows a peer that says it is downloading, at once, and tells the holders (§5.2)', () => {
    const stage = new Stage().started('p');
    stage.want();
    const effects = stage.hear('p', progress({ receivedBytes: 7 }));
    const [follow] = retrievals(effects);
    assert.ok(follow?.kind === 'retrieve' && follow.source.kind === 'flight');
    assert.deepEqual([follow.source.kid, follow.source.flight], ['p', FLIGHT]);
    assert.equal(messages(effects, 'end-request')[0]?.source, 'p');
  });

  it('does not wait longer than its application allows (§5.2)', () => {
    const stage = new Stage().started('p');
    stage.want({ waitMaxMs: 1000 });
    const slow = { receivedBytes: 0, totalBytes: 1_000_000, bytesPerSecond: 1000 };
    assert.deepEqual(retrievals(stage.hear('p', progress(slow))), []);
    const fast = { ...slow, bytesPerSecond: 2_000_000 };
    assert.equal(retrievals(stage.hear('p', progress(fast))).length, 1);
  });

  it('yields to a better claim in the quiet time, and answers a worse one with its own', () => {
    const outcomes = ['p', 'qq', 'rrr', 'ssss', 'ttttt', 'uuuuuu'].map((kid) => {
      const stage = new Stage().started(kid);
      missed(stage);
      stage.pass(2);
      const effects = stage.hear(kid, progress());
      const followed = retrievals(effects).length;
      const answered = claims(effects).filter(({ to }) => to === kid).length;
      assert.equal(followed + answered, 1, 'one or the other');
      return followed;
    });
    assert.equal(new Set(outcomes).size, 2, 'the order of the URL decides, not who speaks first');
  });

  it('lets nobody follow a flight that was aborted', () => {
    const stage = new Stage().started('p');
    stage.want();
    assert.deepEqual(retrievals(stage.hear('p', progress({ aborted: true }))), []);
  });

  it('goes at once where everybody has to fetch it for himself', () => {
    const stage = new Stage().started('p');
    const { id } = stage.want();
    stage.hear('p', progress());
    const [direct] = stage.peer.retrieved(stage.now, id, 'unshareable');
    assert.ok(direct?.kind === 'retrieve' && direct.source.kind === 'origin');
    assert.equal(direct.source.reason, 'unshared');
  });
});

describe('take-over (§5.4)', () => {
  const FLYING = {
    kind: 'flight',
    kid: 'p',
    name: 'name-of-p',
    address: 'a',
    port: 1,
    flight: FLIGHT,
  } as const;

  function waiter(receivedBytes: number): Stage {
    const downloading = () => ({ receivedBytes, totalBytes: 100, bytesPerSecond: 1 });
    const stage = new Stage({ copies: { find: () => undefined, downloading } }).started('p', 'qq');
    const { id } = stage.want();
    stage.hear('p', progress());
    stage.peer.retrieved(stage.now, id, 'failed', FLYING);
    return stage;
  }

  it('begins the sooner, the more bytes a waiter has', () => {
    const at = (stage: Stage) =>
      stage.pass(200).find(({ effect }) => claims([effect]).length > 0)?.at ?? 0;
    assert.ok(at(waiter(90)) + 30 < at(waiter(10)));
  });

  it('leaves it to a waiter with more bytes, and overrides one with fewer', () => {
    const stage = waiter(50);
    stage.pass(35.5);
    assert.deepEqual(retrievals(stage.hear('qq', progress({ receivedBytes: 49 }))), []);
    assert.equal(retrievals(stage.hear('qq', progress({ receivedBytes: 51 }))).length, 1);
  });
});
