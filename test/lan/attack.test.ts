/** The attacks in short: their targets hold, with room for a machine that has other things to do. */
import assert from 'node:assert/strict';
import { failed } from './report.js';
import { certificates } from './scenarios/certificates.js';
import { replay } from './scenarios/replay.js';
import { missingProduct, skipIf } from './skip.js';

describe('a node that is attacked', () => {
  before(skipIf(missingProduct));

  for (const scenario of [replay, certificates]) {
    describe(`(${scenario.name})`, () => {
      before(skipIf(scenario.missing));

      it(`holds: ${scenario.summary}`, async () => {
        assert.deepEqual(failed(await scenario.run({ short: true })), []);
      });
    });
  }
});
