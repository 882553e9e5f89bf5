/** The `once` scenario: with Peerage its targets hold, without it they do not. */
import assert from 'node:assert/strict';
import { failed } from './report.js';
import { once } from './scenarios/once.js';
import { missingProduct, skipIf } from './skip.js';

describe('hosts on a thin line that take the same file one after another', () => {
  before(skipIf(once.missing));

  it('take it over the line each for itself without Peerage', async () => {
    const report = await once.run({ hosts: 2, peer: 'direct', sizeBytes: 1_000_000 });
    const values = new Map(report.targets.map(({ name, value }) => [name, value]));
    assert.equal(values.get('bodies that the origin served'), 2);
    assert.equal(values.get('bytes that the origin served, times the file'), 2);
    assert.equal(values.get('hosts with the identical file'), 2);
    assert.equal(failed(report).length, 3);
  });

  describe('with a node on each of them', () => {
    before(skipIf(missingProduct));

    it('take 20 MB over the line once, and the others ten times as fast', async () => {
      assert.deepEqual(failed(await once.run({})), []);
    });

    it('take it once also from a TLS origin, through the mirror', async () => {
      assert.deepEqual(failed(await once.run({ via: 'mirror', sizeBytes: 10_000_000 })), []);
    });
  });
});
