/** The `firewall` scenario in short: fewer hosts, entries and kills. */
import assert from 'node:assert/strict';
import { failed } from './report.js';
import { firewall } from './scenarios/firewall.js';
import { missingProduct, skipIf } from './skip.js';

describe('the firewall on the hosts of a LAN', () => {
  before(skipIf(firewall.missing));
  before(skipIf(missingProduct));

  it('has a list in force everywhere from one download, gapless, and locks nobody out', async () => {
    assert.deepEqual(failed(await firewall.run({ hosts: 3, sizeBytes: 5_000 })), []);
  });
});
