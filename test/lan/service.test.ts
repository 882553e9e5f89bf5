/** The scenario of the node as a service: its targets hold. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { PrivateSystemd } from './private-systemd.js';
import { failed } from './report.js';
import { service } from './scenarios/service.js';
import { missingProduct, skipIf } from './skip.js';

describe('a node as a service of systemd', () => {
  before(skipIf(missingProduct));
  before(skipIf(service.missing));
  before(skipIf(() => PrivateSystemd.missing(tmpdir())));

  it('runs without rights, is mended when it is killed, and refuses nobody while it restarts', async () => {
    assert.deepEqual(failed(await service.run({})), []);
  });
});
