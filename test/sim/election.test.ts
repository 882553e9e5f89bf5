/** The short forms of `npm run sim -- election`, `failover` and `partitions`. */
import assert from 'node:assert/strict';
import { election } from './scenarios/election.js';
import { failover, falseAlarms } from './scenarios/failover.js';
import { partitions } from './scenarios/partitions.js';

const CELL = { boot: 'together', profile: 'adaptive', standing: 'fine', firstSeed: 1 } as const;

describe('simulated elections', () => {
  it('agree on the best node soon, whatever is lost', () => {
    for (const loss of [0, 0.05]) {
      const row = election({ ...CELL, nodes: 30, loss, seeds: 20 });
      assert.equal(row.bestClassWins, 1, JSON.stringify(row));
      assert.deepEqual([row.splitAt1s, row.neverTold], [0, 0], JSON.stringify(row));
      assert.ok(row.agreedP99Ms < 200, JSON.stringify(row));
    }
  });

  it('need few packets where all nodes are alike', () => {
    const row = election({ ...CELL, nodes: 100, loss: 0, seeds: 5, standing: 'equal' });
    assert.ok(row.claimsMean < 6, JSON.stringify(row));
    assert.deepEqual([row.splitAt1s, row.neverTold], [0, 0]);
  });

  it('agree in the classic profile, too', () => {
    const row = election({ ...CELL, nodes: 10, loss: 0, seeds: 10, profile: 'classic' });
    assert.deepEqual([row.bestClassWins, row.neverTold], [1, 0], JSON.stringify(row));
    assert.ok(row.agreedP50Ms > 2000);
  });

  it('let the best node by all levels win an election that was called', () => {
    const row = election({ ...CELL, nodes: 20, loss: 0, seeds: 10, boot: 'single' });
    assert.equal(row.bestWins, 1, JSON.stringify(row));
  });
});

describe('simulated failover', () => {
  const most = { host: 300, process: 60, both: 2500, resigns: 60 } as const;
  for (const death of ['host', 'process', 'both', 'resigns'] as const) {
    it(`(${death}) ends with everybody told`, () => {
      const row = failover({ nodes: 10, loss: 0.01, death, seeds: 10, firstSeed: 1 });
      assert.equal(row.neverTold, 0, JSON.stringify(row));
      assert.ok(row.toldP50Ms < most[death], JSON.stringify(row));
    });
  }

  it('does not happen while nobody dies, also past the hourly re-check', () => {
    const row = falseAlarms(5, 0.01, 1.1, 1);
    assert.deepEqual([row.changesPerHour, row.agreedAtTheEnd], [0, true], JSON.stringify(row));
  });
});

describe('simulated partitions', () => {
  it('leave one provider on each island after five seconds, and no dead end', () => {
    for (const seed of [1, 2, 3]) {
      const row = partitions({ nodes: 10, cycles: 100, loss: 0.02, seed });
      const faults = [row.splits, row.deadEnds, row.uninformed, row.epochsShrunk];
      assert.deepEqual(faults, [0, 0, 0, 0], JSON.stringify(row));
    }
  });
});
