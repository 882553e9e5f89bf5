/** Backup, leases, keep-alive, resignation, and what is refused (PROTOCOL §8.6, §8.7). */
import assert from 'node:assert/strict';
import { USUAL_CRITERIA } from '@peerage/core/protocol/election-criteria.js';
import { EPOCH_JUMP_MAX, EPOCH_STEP_MAX } from '@peerage/core/protocol/limits.js';
import {
  alive,
  claim,
  criteria,
  designations,
  ElectionStage,
  FIRST,
  NAME,
  result,
  SECOND,
  SERVICE,
  THIRD,
} from './election-stage.js';
import { messages } from './stage.js';

/** A stage whose provider is `p`, and which is its backup unless told otherwise. */
function backup(more: Parameters<typeof result>[2] = { backup: NAME }): ElectionStage {
  const stage = new ElectionStage().joined(SECOND);
  stage.hear('p', result('p', FIRST, { epoch: 4, ...more }));
  return stage;
}

const standby = { type: 'standby', service: SERVICE, epoch: 1, to: 'me' } as const;

describe('a backup (§8.7)', () => {
  it('is offered to a provider that has none, and to no other', () => {
    const stage = backup({});
    const [offer] = stage.said(1500, 'standby');
    assert.equal(offer?.message.to, 'p');
    assert.deepEqual(backup({ backup: 'somebody' }).said(1500, 'standby'), []);
  });

  it('holds a connection to the provider while it is named', () => {
    const stage = new ElectionStage().joined(SECOND);
    const attended = (more: object) =>
      stage
        .hear('p', result('p', FIRST, { epoch: 4, ...more }))
        .flatMap((effect) => (effect.kind === 'attend' ? [effect.provider?.kid] : []));
    assert.deepEqual(attended({ backup: NAME }), ['p']);
    assert.deepEqual(attended({ backup: NAME }), []);
    assert.deepEqual(attended({ backup: 'other' }), [undefined]);
  });

  it('probes three times 10 ms apart after two missed keep-alives, then takes over', () => {
    const stage = backup();
    stage.hear('p', alive({ epoch: 4 }));
    const probes = stage.said(230, 'alive').map(({ afterMs }) => Math.round(afterMs));
    assert.deepEqual(probes, [206, 216, 226]);
    const [over] = stage.said(20, 'result');
    assert.equal(over?.message.epoch, 5);
    assert.equal(over?.message.replaces, 4);
    assert.equal(stage.provider, NAME);
    assert.equal(stage.election.designation?.reason, 'taken-over');
  });

  it('probes at once when its connection closes, and stays when it is answered', () => {
    const stage = backup();
    stage.change((elections) => elections.get(SERVICE)?.connectionLost(stage.now));
    assert.equal(stage.said(1, 'alive').length, 1);
    stage.hear('p', result('p', FIRST, { epoch: 4, backup: NAME }));
    assert.deepEqual(stage.said(100, 'result'), []);
    stage.change((elections) => elections.get(SERVICE)?.connectionLost(stage.now));
    assert.equal(stage.said(40, 'result').length > 0, true);
  });

  it('answers keep-alives, so that the provider can tell that it lives', () => {
    const [answer] = messages(backup().hear('p', alive({ epoch: 4 })), 'alive');
    assert.deepEqual([answer?.ask, answer?.to], [false, 'p']);
  });

  it('needs no probe when the provider resigns or says bye', () => {
    const resigned = backup();
    resigned.hear('p', result('p', FIRST, { epoch: 4, leaseMs: 0, backup: NAME }));
    assert.equal(resigned.provider, NAME);
    const left = backup();
    left.hear('p', { type: 'bye' });
    assert.equal(left.provider, NAME);
  });

  it('whose own timer is more than 50 ms late restarts its count', () => {
    const stage = backup();
    stage.now += 300;
    stage.peer.wake(stage.now);
    assert.equal(stage.provider, 'name-of-p');
    assert.deepEqual(stage.said(200, 'alive'), []);
  });

  it('is named by the provider, kept alive each 100 ms, and given up when it is silent', () => {
    const stage = new ElectionStage().elected(FIRST);
    const said = stage.hear('p', { ...standby, criteria: criteria(SECOND) });
    assert.equal(messages(said, 'alive').length, 1);
    const [named] = stage.said(1, 'result');
    assert.equal(named?.message.backup, 'name-of-p');
    const kept = stage.said(450, 'alive').map(({ afterMs }) => Math.round(afterMs));
    assert.deepEqual(kept, [99, 199, 299, 399]);
    stage.pass(300);
    assert.equal(stage.election.designation?.backup, undefined);
  });

  it('cannot lift the provider’s epoch out of the others’ reach by its word', () => {
    const stage = new ElectionStage().elected(FIRST);
    const before = stage.election.designation?.epoch ?? 0;
    for (const epoch of [2 ** 53 - 1, 9e15, before + EPOCH_JUMP_MAX]) {
      stage.hear('p', alive({ epoch }));
      assert.equal(stage.election.designation?.epoch, before);
    }
    for (let times = 0; times < 20; times += 1) {
      const now = stage.election.designation?.epoch ?? 0;
      stage.hear('p', alive({ epoch: now + EPOCH_STEP_MAX }));
    }
    const lifted = (stage.election.designation?.epoch ?? 0) - before;
    assert.ok(lifted > 0 && lifted < EPOCH_JUMP_MAX / 2, String(lifted));
  });

  it('is replaced by one of a better class alone', () => {
    const stage = new ElectionStage().elected(FIRST);
    stage.hear('p', { ...standby, criteria: criteria(THIRD) });
    stage.hear('qq', { ...standby, criteria: criteria({ ...THIRD, cpu: 7 }) });
    assert.equal(stage.election.designation?.backup, 'name-of-p');
    stage.hear('rrr', { ...standby, criteria: criteria(SECOND) });
    assert.equal(stage.election.designation?.backup, 'name-of-rrr');
  });
});

describe('a take-over (§8.6)', () => {
  const over = (more: Parameters<typeof result>[2] = {}) =>
    result('qq', SECOND, { epoch: 5, replaces: 4, ...more });

  it('is believed when the provider does not object', () => {
    const stage = backup({ backup: 'name-of-qq' });
    stage.hear('qq', over());
    assert.equal(stage.provider, 'name-of-p');
    stage.pass(10);
    assert.equal(stage.provider, 'name-of-qq');
  });

  it('is not believed while the provider is heard', () => {
    const stage = backup({ backup: 'name-of-qq' });
    stage.hear('qq', over());
    stage.hear('p', result('p', FIRST, { epoch: 6, backup: 'name-of-qq' }));
    stage.pass(100);
    assert.equal(stage.provider, 'name-of-p');
  });

  it('is not believed of a node that is not the backup', () => {
    const stage = backup({ backup: 'name-of-rrr' });
    stage.hear('qq', over());
    stage.pass(100);
    assert.equal(stage.provider, 'name-of-p');
    assert.equal(stage.counted('results-losing'), 1);
  });

  it('is believed at once when the lease has run out', () => {
    const stage = backup({ backup: 'name-of-qq', leaseMs: 1 });
    stage.now += 2;
    stage.hear('qq', over());
    assert.equal(stage.provider, 'name-of-qq');
  });
});

describe('a lease (§8.7)', () => {
  it('that runs out leads to two probes, then a claim, then the office', () => {
    const stage = backup({ backup: 'somebody' });
    const done = stage.pass(1900).map(({ effect }) => effect);
    assert.equal(messages(done, 'alive').length, 2);
    assert.equal(messages(done, 'election').length, 1);
    assert.equal(stage.provider, NAME);
    assert.equal(stage.election.designation?.epoch, 5);
  });

  it('is renewed by the answer to a probe', () => {
    const stage = backup({ backup: 'somebody' });
    while (
      messages(
        stage.pass(1).map(({ effect }) => effect),
        'alive',
      ).length === 0
    );
    stage.hear('p', result('p', FIRST, { epoch: 4, backup: 'somebody' }));
    assert.deepEqual(stage.said(1700, 'election'), []);
    assert.equal(stage.provider, 'name-of-p');
  });

  it('is never believed longer than a minute', () => {
    const stage = backup({ backup: 'somebody', leaseMs: 1e12 });
    stage.pass(60_200);
    assert.equal(stage.provider, NAME);
  });

  it('is cut short when something is asked', () => {
    const stage = backup({ backup: 'somebody', leaseMs: 17_500 });
    stage.pass(11_000);
    stage.change((elections) => elections.asked(stage.now));
    stage.pass(1900);
    assert.equal(stage.provider, NAME);
  });
});

describe('resignation and the admin (§8.2, §8.3)', () => {
  it('gives the office back, is not taken again for a minute, and ends with an offer from others', () => {
    const stage = new ElectionStage().elected(FIRST);
    const said = stage.change((elections) => elections.get(SERVICE)?.resign(stage.now));
    assert.equal(messages(said, 'result')[0]?.leaseMs, 0);
    assert.equal(designations(said)[0]?.provider, undefined);
    stage.pass(5000);
    assert.equal(stage.provider, undefined);
    stage.hear('p', result('p', THIRD, { epoch: 2 }));
    assert.equal(stage.provider, 'name-of-p');
  });

  it('an excluded provider is dropped, whatever it says of itself, and its packets are counted', () => {
    const stage = backup({});
    const rules = { excluded: new Set(['name-of-p']) };
    stage.change((elections) => elections.ruled(stage.now, SERVICE, rules));
    assert.equal(stage.provider, undefined);
    stage.hear('p', claim({ ...FIRST, weight: 100 }));
    stage.hear('p', result('p', { ...FIRST, weight: 100 }, { epoch: 6 }));
    assert.equal(stage.counted('refused-excluded'), 2);
    stage.pass(100);
    assert.equal(stage.provider, NAME);
  });

  it('an excluded node gives its office back and never stands', () => {
    const stage = new ElectionStage().elected(FIRST);
    const rules = { excluded: new Set([NAME]) };
    stage.change((elections) => elections.ruled(stage.now, SERVICE, rules));
    assert.equal(stage.provider, undefined);
    stage.change((elections) => elections.get(SERVICE)?.call(stage.now));
    stage.pass(120_000);
    assert.equal(stage.provider, undefined);
  });

  it('a pinned node takes over from any other', () => {
    const stage = backup();
    const rules = { pinned: NAME, excluded: new Set<string>() };
    stage.change((elections) => elections.ruled(stage.now, SERVICE, rules));
    stage.pass(100);
    assert.equal(stage.provider, NAME);
  });
});

describe('what an election refuses', () => {
  const refused: Array<[why: string, count: string, hear: (stage: ElectionStage) => void]> = [
    ['another schema', 'refused-schema', (s) => s.hear('p', claim({}, { criteria: [] }))],
    [
      'a result in the name of another',
      'refused-provider',
      (s) => s.hear('p', result('p', FIRST, { provider: 'name-of-qq' })),
    ],
    [
      'an older epoch than it accepted',
      'refused-old-epoch',
      (s) => s.hear('p', result('p', FIRST, { epoch: 8 })),
    ],
    [
      'an epoch that no election can have reached',
      'refused-epoch-jump',
      (s) => s.hear('p', result('p', FIRST, { epoch: 2 ** 40 })),
    ],
  ];
  for (const [why, count, hear] of refused) {
    it(`is ${why}: counted, nothing is acted on`, () => {
      const stage = new ElectionStage({}, 9).joined(SECOND);
      hear(stage);
      assert.equal(stage.counted(count), 1);
      assert.equal(stage.provider, undefined);
      stage.pass(100);
      assert.deepEqual([stage.provider, stage.election.designation?.epoch], [NAME, 10]);
    });
  }

  it('is what is for another node, or for a service that it has not joined', () => {
    const stage = new ElectionStage().elected(FIRST);
    const other = { ...standby, criteria: criteria(SECOND), to: 'qq' };
    assert.deepEqual(stage.hear('p', other), []);
    stage.hear('p', { ...claim(FIRST), service: 'unknown' });
    assert.equal(stage.peer.counters.get('election-not-joined'), 1);
  });

  it('is more than 64 elections on one node', () => {
    const stage = new ElectionStage().joined(FIRST);
    stage.change((elections) => {
      for (let i = 0; i < 70; i += 1) elections.join(stage.now, `s${i}`, USUAL_CRITERIA);
      assert.equal([...elections.entries()].length, 64);
    });
  });
});
