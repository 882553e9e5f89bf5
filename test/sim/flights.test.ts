/** The short form of `npm run sim -- flights`. */
import assert from 'node:assert/strict';
import { type FlightsOptions, flightRuns, flightsRow } from './scenarios/flights.js';

const CELL = { loss: 0.01, seeds: 10, firstSeed: 1, kill: false, provider: false } as const;

const flights = (options: FlightsOptions) => flightsRow(options, flightRuns(options));

describe('simulated flights', () => {
  for (const provider of [false, true]) {
    it(`cost one download from the Internet, however many ask at once; provider ${provider ? 'known' : 'not known'}`, () => {
      for (const spreadMs of [0, 50]) {
        const row = flights({ ...CELL, nodes: 30, spreadMs, provider });
        assert.ok(row.downloadsMean <= 1.1, JSON.stringify(row));
        assert.equal(row.unserved, 0);
      }
    });

    it(`are taken over when their node dies, and everybody else is served; provider ${provider ? 'known' : 'not known'}`, () => {
      const row = flights({ ...CELL, nodes: 20, spreadMs: 20, loss: 0, kill: true, provider });
      assert.equal(row.unserved, 0);
      assert.ok(row.downloadsWorst <= 4, JSON.stringify(row));
    });
  }

  it('are the same again with the same seed', () => {
    const options = { ...CELL, nodes: 20, spreadMs: 50, seeds: 2 };
    assert.deepEqual(flightRuns(options), flightRuns(options));
  });
});
