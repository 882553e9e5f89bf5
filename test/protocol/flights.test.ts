/** Flights, sentence by sentence (PROTOCOL §5): one goes to the Internet, the others follow. */
import assert from 'node:assert/strict';
import type { Effect } from '@peerage/core/protocol/effect.js';
import type { Progress } from '@peerage/core/protocol/message.js';
import { messages, request, Stage, WANT } from './stage.js';

const PIECE = 256 * 1024;
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
      const effects = stage.hear(kid, progress({ claim: true }));
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

describe('two that go at once (§5.3)', () => {
  const KIDS = ['p', 'qq', 'rrr', 'ssss', 'ttttt', 'uuuuuu'];

  /** A stage that is flying, with so many bytes. */
  function flying(receivedBytes = 0): Stage {
    const had = { receivedBytes, totalBytes: 100 * PIECE, bytesPerSecond: 1 };
    const copies = { find: () => undefined, downloading: () => had };
    const stage = new Stage({ copies }).started(...KIDS);
    missed(stage);
    stage.pass(100);
    return stage;
  }

  it('a claim yields to a flight, however late its first byte and whatever the order', () => {
    for (const kid of KIDS) {
      const stage = new Stage().started(kid);
      missed(stage);
      assert.equal(claims(stage.pass(2).map(({ effect }) => effect))[0]?.claim, true);
      assert.equal(retrievals(stage.hear(kid, progress())).length, 1, kid);
    }
  });

  it('of two flights with as much one ends, by the order of the URL, and says nothing more', () => {
    const outcomes = KIDS.map((kid) => {
      const stage = flying();
      const effects = stage.hear(kid, progress());
      const followed = retrievals(effects).length;
      const [answered] = claims(effects);
      assert.equal(followed === 1, answered === undefined, 'one or the other');
      const later = claims(stage.pass(3000).map(({ effect }) => effect)).length;
      assert.equal(later > 0, followed === 0);
      return followed;
    });
    assert.deepEqual([...new Set(outcomes)].sort(), [0, 1]);
  });

  it('the flight with more whole pieces goes on, and a claim with more of them beats it', () => {
    for (const kid of KIDS) {
      for (const claim of [true, false]) {
        const more = { receivedBytes: 6 * PIECE, claim };
        assert.equal(retrievals(flying(5 * PIECE).hear(kid, progress(more))).length, 1);
        const fewer = { receivedBytes: 4 * PIECE, claim };
        assert.equal(retrievals(flying(5 * PIECE).hear(kid, progress(fewer))).length, 0);
      }
      const claimed = progress({ receivedBytes: 5 * PIECE, claim: true });
      assert.equal(retrievals(flying(5 * PIECE).hear(kid, claimed)).length, 0);
    }
  });

  it('answers what is said to everybody, and not an answer', () => {
    const worse = { receivedBytes: 0, claim: true };
    assert.equal(claims(flying(PIECE).hear('p', progress(worse)))[0]?.to, 'p');
    assert.deepEqual(claims(flying(PIECE).hear('p', progress({ ...worse, to: 'me' }))), []);
  });

  it('says that it is downloading also where it knew nobody when it began', () => {
    const stage = new Stage().started();
    const { effects } = stage.want();
    assert.equal(claims(effects)[0]?.claim, undefined);
    assert.equal(retrievals(effects).length, 1);
    const [answer] = claims(stage.hear('p', request({ id: 9 })));
    assert.equal(answer?.to, 'p');
  });

  it('takes a copy that is offered later still, as long as the origin has sent nothing', () => {
    for (const received of [undefined, PIECE]) {
      const had = { receivedBytes: PIECE, totalBytes: 100 * PIECE, bytesPerSecond: 1 };
      const downloading = () => (flies && received !== undefined ? had : undefined);
      let flies = false;
      const stage = new Stage({ copies: { find: () => undefined, downloading } }).started('p');
      const [sent] = messages(stage.want().effects, 'request');
      assert.ok(sent !== undefined);
      const [went] = retrievals(stage.pass(60).map(({ effect }) => effect));
      assert.ok(went?.kind === 'retrieve' && went.source.kind === 'origin');
      flies = true;
      const taken = retrievals(stage.hear('p', stage.answer(sent))).length;
      assert.equal(taken, received === undefined ? 1 : 0);
    }
  });

  it('takes a copy that is offered late, while it waits for its turn', () => {
    const stage = new Stage().started('p');
    const [sent] = messages(stage.want().effects, 'request');
    assert.ok(sent !== undefined);
    stage.pass(18);
    const effects = stage.hear('p', stage.answer(sent));
    assert.deepEqual(
      retrievals(effects).map((effect) => effect.kind === 'retrieve' && effect.source.kind),
      ['peer'],
    );
    assert.deepEqual(retrievals(stage.pass(100).map(({ effect }) => effect)), []);
  });
});

describe('a node that does not serve (§5.3)', () => {
  const went = (stage: Stage) => retrievals(stage.pass(600).map(({ effect }) => effect)).length;

  it('goes for itself, and claims nothing, where nobody else wants it', () => {
    const stage = new Stage({ server: false }).started('p');
    const [sent] = messages(stage.want().effects, 'request');
    assert.equal(sent?.internet, false);
    const done = stage.pass(17).map(({ effect }) => effect);
    assert.deepEqual([retrievals(done).length, claims(done)], [1, []]);
  });

  it('leaves it to those who can fetch it for all, as long as they may yet claim it', () => {
    const patient = new Stage({ server: false }).started('p');
    missed(patient);
    patient.hear('p', request({ id: 9 }));
    assert.deepEqual(retrievals(patient.pass(300).map(({ effect }) => effect)), []);
    assert.equal(retrievals(patient.hear('p', progress({ claim: true }))).length, 1);
    const alone = new Stage({ server: false }).started('p');
    missed(alone);
    alone.hear('p', request({ id: 9 }));
    assert.equal(went(alone), 1);
  });
});

describe('a node without Internet (§5.3)', () => {
  it('claims nothing, and follows whoever of the others does', () => {
    const stage = new Stage({ internet: false }).started('p', 'qq');
    missed(stage);
    const waited = stage.pass(300).map(({ effect }) => effect);
    assert.deepEqual([claims(waited), retrievals(waited)], [[], []]);
    const effects = stage.hear('qq', progress({ claim: true }));
    assert.equal(retrievals(effects).length, 1);
  });

  it('asks once more, and gives up when all had time to claim it, and in any case in the end', () => {
    const gaveUpAfter = (again: boolean) => {
      const stage = new Stage({ internet: false }).started('p');
      const start = stage.now;
      missed(stage);
      for (let waited = 0; waited < 8000; waited += 100) {
        if (again) stage.hear('p', request({ id: waited }));
        const left = stage.pass(100).find(({ effect }) => effect.kind === 'retrieve');
        if (left?.effect.kind === 'retrieve') {
          assert.equal(left.effect.source.kind, 'origin');
          return left.at - start;
        }
      }
      return Number.POSITIVE_INFINITY;
    };
    assert.ok(Math.abs(gaveUpAfter(false) - 2 * 617) < 5);
    assert.ok(Math.abs(gaveUpAfter(true) - 5017) < 5);
  });

  it('takes what it is offered in the second round', () => {
    const stage = new Stage({ internet: false }).started('p');
    const [sent] = messages(stage.want().effects, 'request');
    const again = stage.pass(640).filter(({ effect }) => messages([effect], 'request').length > 0);
    assert.ok((again.at(-1)?.at ?? 0) - stage.now > -60, 'it asks again');
    assert.ok(sent !== undefined);
    assert.equal(retrievals(stage.hear('p', stage.answer(sent))).length, 1);
  });

  it('asks even where it knows nobody yet: the others may not have been heard', () => {
    const stage = new Stage({ internet: false }).started();
    const [sent] = messages(stage.want().effects, 'request');
    assert.ok(sent !== undefined && sent.to === undefined);
    assert.equal(retrievals(stage.hear('p', stage.answer(sent))).length, 1);
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
    const had = { receivedBytes: receivedBytes * PIECE, totalBytes: 100 * PIECE };
    const downloading = () => ({ ...had, bytesPerSecond: 1 });
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
    assert.deepEqual(retrievals(stage.hear('qq', progress({ receivedBytes: 50 * PIECE - 1 }))), []);
    assert.equal(retrievals(stage.hear('qq', progress({ receivedBytes: 51 * PIECE }))).length, 1);
  });
});
