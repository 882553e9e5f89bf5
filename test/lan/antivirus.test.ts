/** The `antivirus` scenario in short: three hosts, of which one asks the origin. */
import assert from 'node:assert/strict';
import { failed } from './report.js';
import { antivirus } from './scenarios/antivirus.js';
import { missingProduct, skipIf } from './skip.js';

describe('ClamAV on the hosts of a LAN', () => {
  before(skipIf(antivirus.missing));
  before(skipIf(missingProduct));

  it('detects with a new version everywhere, from one download', async () => {
    assert.deepEqual(failed(await antivirus.run({ hosts: 3 })), []);
  });
});
