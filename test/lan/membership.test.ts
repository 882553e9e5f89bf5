/** The scenarios of joining and leaving a group: their targets hold. */
import assert from 'node:assert/strict';
import { failed } from './report.js';
import { enrol } from './scenarios/enrol.js';
import { revoke } from './scenarios/revoke.js';
import { rotate } from './scenarios/rotate.js';
import { missingProduct, skipIf } from './skip.js';

describe('a group of hosts', () => {
  before(skipIf(missingProduct));

  describe('that grows', () => {
    before(skipIf(enrol.missing));

    it('takes a host in with one line and refuses what it must, with the reason', async () => {
      assert.deepEqual(failed(await enrol.run({})), []);
    });
  });

  describe('of which one is stolen', () => {
    before(skipIf(revoke.missing));

    it('is rid of it within 10 s, on every host', async () => {
      assert.deepEqual(failed(await revoke.run({})), []);
    });
  });

  describe('whose CA is changed', () => {
    before(skipIf(rotate.missing));

    it('changes over while it runs, takes a late host along, and is rid of the old CA', async () => {
      assert.deepEqual(failed(await rotate.run({})), []);
    });
  });
});
