/** The `npm` scenario: real npm through two nodes' mirrors, and without them. */
import assert from 'node:assert/strict';
import { registryAnswers } from './registry-recorder.js';
import { failed } from './report.js';
import { npm } from './scenarios/npm.js';
import { missingProduct, skipIf } from './skip.js';

const UNREACHABLE = 'skipped: the registry that npm is configured for does not answer';

describe('npm ci of one project on two nodes', () => {
  before(skipIf(npm.missing));
  before(skipIf(async () => ((await registryAnswers()) ? undefined : UNREACHABLE)));

  it('takes every tarball from the registry twice without Peerage', async () => {
    const report = await npm.run({ peer: 'direct' });
    const [first, second] = report.rows.map(({ upstreamBytes }) => upstreamBytes);
    assert.equal(first, second);
    assert.equal(failed(report).length, 2);
  });

  describe('through the mirrors of two nodes', () => {
    before(skipIf(missingProduct));

    it('takes nothing from the registry the second time', async () => {
      assert.deepEqual(failed(await npm.run({})), []);
    });
  });
});
