/** Claims, waits and results, sentence by sentence (PROTOCOL §8.2-§8.6). */
import assert from 'node:assert/strict';
import {
  claim,
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

describe('an initiator (§8.4)', () => {
  it('waits its turn, claims, and provides when nobody objects for the quiet time', () => {
    const stage = new ElectionStage().joined(FIRST);
    const from = stage.now;
    const done = stage.pass(300);
    const [said] = done.filter(({ effect }) => messages([effect], 'election').length > 0);
    const [won] = done.filter(({ effect }) => messages([effect], 'result').length > 0);
    assert.ok(said !== undefined && won !== undefined);
    assert.ok(said.at - from <= 15, 'the best class waits at most T');
    assert.ok(Math.abs(won.at - said.at - 6) < 1e-6);
    assert.equal(stage.provider, NAME);
  });

  it('says its result at 0, 10, 30, 70 and 150 ms, then each 500 ms (§8.5)', () => {
    const stage = new ElectionStage().joined(FIRST);
    const said = stage.said(1400, 'result').map(({ afterMs }) => afterMs);
    const [first = 0] = said;
    const ages = said.map((at) => Math.round(at - first));
    assert.deepEqual(ages, [0, 10, 30, 70, 150, 650, 1150]);
  });

  it('tells the shell who provides, and the epoch that is to be kept (§8.6)', () => {
    const stage = new ElectionStage({}, 41).joined(FIRST);
    const effects = stage.pass(100).map(({ effect }) => effect);
    const kept = effects.filter(({ kind }) => kind === 'keep-epoch');
    assert.deepEqual(kept, [{ kind: 'keep-epoch', service: SERVICE, epoch: 42 }]);
    const [designation] = designations(effects);
    assert.deepEqual(designation, {
      provider: NAME,
      kid: 'me',
      backup: undefined,
      epoch: 42,
      reason: 'elected',
    });
  });

  it('counts and ignores a losing claim, and waits no longer for it', () => {
    const stage = new ElectionStage().joined(FIRST);
    const [said] = stage.said(20, 'election');
    assert.ok(said !== undefined);
    const other = new ElectionStage().joined(FIRST);
    other.pass(said.afterMs + 3);
    other.hear('p', claim(THIRD));
    assert.equal(other.counted('claims-losing'), 1);
    const [won] = other.said(20, 'result');
    assert.ok(won !== undefined && Math.abs(won.afterMs - 3) < 1e-6);
  });

  it('that is beaten waits for the result and follows it', () => {
    const [alone] = new ElectionStage().joined(SECOND).said(50, 'election');
    const stage = new ElectionStage().joined(SECOND);
    stage.pass((alone?.afterMs ?? 0) + 3);
    stage.hear('p', claim(FIRST));
    assert.deepEqual(stage.said(10, 'result'), []);
    stage.hear('p', result('p', FIRST, { settled: false }));
    assert.deepEqual([stage.provider, stage.counted('beaten')], ['name-of-p', 1]);
    assert.deepEqual(stage.said(500, 'election'), []);
  });

  it('that is beaten and hears no result within 2T + 6 ms runs again (§8.6)', () => {
    const stage = new ElectionStage().joined(SECOND);
    stage.hear('p', claim(FIRST));
    const said = stage.said(200, 'election');
    const windowMs = 4.4 * (1 + Math.log(10));
    assert.ok((said[0]?.afterMs ?? 0) > 2 * windowMs + 6, JSON.stringify(said));
    assert.equal(stage.provider, NAME);
  });

  it('is not kept from the office by one that claims again and again and announces nothing', () => {
    const stage = new ElectionStage().joined(SECOND);
    for (let i = 0; i < 200 && stage.provider === undefined; i += 1) {
      stage.hear('p', claim(FIRST));
      stage.pass(10);
    }
    assert.equal(stage.provider, NAME);
    assert.deepEqual([stage.counted('claims-broken'), stage.counted('rivals')], [1, 0]);
  });
});

describe('a receiver (§8.5)', () => {
  it('that loses is silent and awaits the result', () => {
    const stage = new ElectionStage().joined(SECOND);
    stage.hear('p', claim(FIRST));
    assert.deepEqual(stage.said(30, 'election'), []);
  });

  it('that wins speaks after its own wait, which a losing claim neither cancels nor redraws', () => {
    const [alone] = new ElectionStage().joined(SECOND).said(50, 'election');
    const stage = new ElectionStage().joined(SECOND);
    for (let i = 0; i < 4; i += 1) stage.hear('p', claim(THIRD));
    const [said] = stage.said(50, 'election');
    assert.equal(said?.afterMs, alone?.afterMs);
  });

  it('waits the longer the lower its class: half of T for each', () => {
    const waits = [FIRST, SECOND, THIRD].map(
      (levels) => new ElectionStage().joined(levels).said(100, 'election')[0]?.afterMs ?? 0,
    );
    const [first = 0, second = 0, third = 0] = waits;
    const halfMs = 2.2 * (1 + Math.log(10));
    assert.ok(Math.abs(second - first - halfMs) < 1e-6);
    assert.ok(Math.abs(third - second - halfMs) < 1e-6);
  });

  it('in the classic profile draws its delay from the quarter of its class, and says one result', () => {
    for (const [levels, quarter] of [
      [FIRST, 0],
      [SECOND, 1],
      [THIRD, 2],
    ] as const) {
      const stage = new ElectionStage({ profile: 'classic' }).joined(levels);
      const [said] = stage.said(2000, 'election');
      assert.ok(said !== undefined);
      assert.ok(said.afterMs >= quarter * 500 && said.afterMs <= (quarter + 1) * 500);
      const results = stage.said(2400, 'result').map(({ afterMs }) => afterMs);
      assert.ok(results.every((at, i) => i === 0 || at - (results[i - 1] ?? 0) > 499));
      assert.ok(results.length > 0);
    }
  });

  it('of a finer standing objects also after the result, while the election goes on', () => {
    const stage = new ElectionStage().joined({ ...SECOND, cpu: 7 });
    stage.hear('p', result('p', SECOND, { settled: false }));
    assert.equal(stage.provider, 'name-of-p');
    stage.pass(60);
    assert.equal(stage.provider, NAME);
  });

  it('of an equal class does not depose a live provider (§8.6)', () => {
    const stage = new ElectionStage().joined({ ...SECOND, cpu: 7 });
    stage.hear('p', result('p', SECOND));
    assert.deepEqual(stage.said(1000, 'election'), []);
    assert.equal(stage.provider, 'name-of-p');
  });

  it('of a better class takes over, with its result alone (§8.2)', () => {
    const stage = new ElectionStage().joined(FIRST);
    stage.hear('p', result('p', SECOND, { epoch: 7 }));
    assert.equal(stage.provider, 'name-of-p');
    const done = stage.pass(60).map(({ effect }) => effect);
    assert.equal(messages(done, 'election').length, 1);
    assert.equal(messages(done, 'result')[0]?.epoch, 8);
    assert.equal(stage.provider, NAME);
  });
});

describe('a provider (§8.6)', () => {
  it('answers a claim with its result, at most every 5 ms, and gives way to no claim', () => {
    const stage = new ElectionStage().elected(SECOND);
    const answers = [];
    for (let i = 0; i < 10; i += 1) answers.push(...stage.hear('p', claim(FIRST)));
    assert.equal(messages(answers, 'result').length, 1);
    assert.equal(stage.said(6, 'result').length, 1);
    assert.equal(stage.provider, NAME);
  });

  it('gives way to a better result, and to no worse one', () => {
    const stage = new ElectionStage().elected(SECOND);
    const answer = stage.hear('p', result('p', THIRD, { epoch: 9 }));
    assert.equal(messages(answer, 'result')[0]?.epoch, 10, 'the higher epoch + 1');
    assert.equal(stage.provider, NAME);
    stage.hear('qq', result('qq', FIRST, { epoch: 10 }));
    assert.equal(stage.provider, 'name-of-qq');
  });

  it('makes a better rival of an older epoch say it again with a higher one', () => {
    const stage = new ElectionStage({}, 20).elected(SECOND);
    const answer = stage.hear('qq', result('qq', FIRST, { epoch: 3 }));
    assert.equal(messages(answer, 'result')[0]?.epoch, 21);
    assert.equal(stage.provider, NAME);
  });

  it('says its result with a lease of three and a half heartbeats, ten times slower when idle', () => {
    const stage = new ElectionStage().elected(FIRST);
    assert.equal(stage.said(500, 'result')[0]?.message.leaseMs, 1750);
    stage.pass(10_000);
    const idle = stage.said(20_000, 'result');
    assert.equal(idle.length, 4);
    assert.ok(idle.every(({ message }) => message.leaseMs === 17_500));
    const woken = stage.change((elections) => elections.asked(stage.now));
    assert.equal(messages(woken, 'result')[0]?.leaseMs, 1750);
  });

  it('that is called to an election stands again on all levels (§8.2)', () => {
    const stage = new ElectionStage().elected(SECOND);
    stage.pass(1000);
    stage.hear('p', claim({ ...SECOND, cpu: 7 }, { open: true }));
    const [answer] = stage.said(10, 'result');
    assert.equal(answer?.message.settled ?? false, false);
    stage.hear('p', result('p', { ...SECOND, cpu: 7 }, { epoch: 2, settled: false }));
    assert.equal(stage.provider, 'name-of-p');
  });
});

describe('healing (§8.8)', () => {
  it('the worse of two live providers yields, and those that follow it follow the better', () => {
    const stage = new ElectionStage().joined(THIRD);
    stage.hear('p', result('p', SECOND, { epoch: 5 }));
    stage.hear('qq', result('qq', { internet: 1, bandwidth: 1 }, { epoch: 5 }));
    assert.equal(stage.provider, 'name-of-qq');
    stage.hear('p', result('p', SECOND, { epoch: 5 }));
    assert.equal(stage.provider, 'name-of-qq');
    assert.equal(stage.counted('results-losing'), 1);
  });
});
