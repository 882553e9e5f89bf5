/** The `survive` scenario under mocha. */
import assert from 'node:assert/strict';
import { failed } from './report.js';
import { survive } from './scenarios/survive.js';
import { missingProduct, skipIf } from './skip.js';

describe('a node whose parts are killed or damaged', () => {
  before(skipIf(survive.missing));
  before(skipIf(missingProduct));

  it('gives its clients right bytes all the same, and loses nothing', async () => {
    assert.deepEqual(failed(await survive.run({})), []);
  });
});
