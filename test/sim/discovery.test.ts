/** The short form of `npm run sim -- discovery`, and that a seed reproduces a run. */
import assert from 'node:assert/strict';
import { discovery } from './scenarios/discovery.js';

const CELL = {
  peers: 30,
  holders: 3,
  loss: 0.02,
  trials: 40,
  hinted: false,
  profile: 'adaptive',
} as const;

describe('simulated discovery', () => {
  it('gives the same transcript for the same seed, and another for another', () => {
    const first = discovery({ ...CELL, seed: 7, transcript: true });
    const again = discovery({ ...CELL, seed: 7, transcript: true });
    const other = discovery({ ...CELL, seed: 8, transcript: true });
    assert.deepEqual(again, first);
    assert.notEqual(other.digest, first.digest);
  });

  it('needs about two answers however many hold it', () => {
    for (const holders of [10, 100]) {
      const row = discovery({ ...CELL, peers: 100, holders, loss: 0, trials: 60, seed: 1 });
      assert.ok(row.responsesPerRequest <= 2.5, `${holders} holders: ${row.responsesPerRequest}`);
      assert.equal(row.falseMisses, 0);
    }
  });

  it('still needs few answers when packets are lost, since "I found" is repeated', () => {
    const row = discovery({ ...CELL, peers: 300, holders: 300, loss: 0.05, trials: 20, seed: 3 });
    assert.ok(row.responsesPerRequest < 9, String(row.responsesPerRequest));
  });

  it('takes one round trip and two packets where a holder was overheard', () => {
    const row = discovery({ ...CELL, peers: 100, holders: 5, loss: 0, hinted: true, seed: 1 });
    assert.ok(row.hitP99Ms <= 4, String(row.hitP99Ms));
    assert.ok(row.packetsPerRequest <= 2.01, String(row.packetsPerRequest));
  });

  it('waits 2200 ms for a miss in the classic profile, and never repeats', () => {
    const row = discovery({ ...CELL, profile: 'classic', loss: 0, seed: 1 });
    assert.equal(row.missMs, 2200);
    assert.ok(row.packetsPerRequest < 4);
  });
});
