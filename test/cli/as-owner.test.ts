/** Root's commands on the directory of a service: what they write is the service's own. */
import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { useScratch } from '../fakes/scratch.js';
import { peerage } from '../service/program.js';

const NOBODY = 65534;

describe('a command of root on the state of another user', function () {
  this.timeout(120_000);
  const scratch = useScratch();

  it('leaves files that that user owns', async function () {
    if (process.getuid?.() !== 0) this.skip();
    const state = scratch('s');
    await mkdir(state);
    await chmod(dirname(state), 0o755);
    await chown(state, NOBODY, NOBODY);
    for (const words of [
      ['ca', 'init', '--group', 'office', '--name', 'desk'],
      ['ca', 'token', '--name', 'lap'],
    ]) {
      const { code, stderr } = await peerage(...words, '--state', state);
      assert.equal(code, 0, stderr);
    }
    for (const name of [...(await readdir(state)), 'ca/ca.pem', 'ca/tokens.json']) {
      assert.equal((await stat(join(state, name))).uid, NOBODY, name);
    }
  });
});
