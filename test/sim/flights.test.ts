/** The short form of `npm run sim -- flights`. */
import assert from 'node:assert/strict';
import { flights } from './scenarios/flights.js';

describe('simulated flights', () => {
  it('cost one download from the Internet, however many ask at once', () => {
    for (const spreadMs of [0, 50]) {
      const row = flights({
        nodes: 30,
        spreadMs,
        loss: 0.01,
        seeds: 10,
        firstSeed: 1,
        kill: false,
      });
      assert.ok(row.downloadsMean <= 1.1, JSON.stringify(row));
      assert.equal(row.unserved, 0);
    }
  });

  it('are taken over when their node dies, and everybody else is served', () => {
    const row = flights({ nodes: 20, spreadMs: 20, loss: 0, seeds: 10, firstSeed: 1, kill: true });
    assert.equal(row.unserved, 0);
    assert.ok(row.downloadsWorst <= 4, JSON.stringify(row));
  });
});
