/** The demo, small: it ends by itself and the line carried the file once. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./main.js', import.meta.url));

describe('the demo', function () {
  this.timeout(180_000);

  it('gives a file to three nodes that ask at once, over the line once', () => {
    const words = [PROGRAM, '--json', '--nodes', '3', '--megabytes', '6', '--rate', '3'];
    const { status, stdout, stderr } = spawnSync(process.execPath, words);
    assert.equal(status, 0, stderr.toString() + stdout.toString());
    const figures = JSON.parse(stdout.toString()) as Record<string, number>;
    assert.equal(figures['identicalFiles'], 3);
    assert.equal(figures['internetBytes'], 6_000_000);
    assert.equal(figures['savedBytes'], 12_000_000);
  });
});
