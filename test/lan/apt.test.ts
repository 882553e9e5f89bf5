/** The `apt` scenario: real apt on every host, with Peerage and without. */
import assert from 'node:assert/strict';
import { failed } from './report.js';
import { apt } from './scenarios/apt.js';
import { missingProduct, skipIf } from './skip.js';

describe('apt on the hosts of a LAN', () => {
  before(skipIf(apt.missing));

  it('takes every package from the origin for each host without Peerage', async () => {
    const report = await apt.run({ hosts: 2, peer: 'direct' });
    const values = new Map(report.targets.map(({ name, value }) => [name, value]));
    assert.equal(values.get('times that packages left the origin'), 16);
    assert.equal(values.get('hosts with all packages installed'), 2);
  });

  describe('with a node on each of them', () => {
    before(skipIf(missingProduct));

    it('takes every package from the origin once, and does without a stopped node', async () => {
      assert.deepEqual(failed(await apt.run({})), []);
    });
  });
});
