/** Programs that the lab starts: their output, their ends. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { errorCode } from '@peerage/sdk';
import { Command } from './command.js';
import { until } from './until.js';

const DEADLINE_MS = 10_000;

function shell(script: string): Command {
  return new Command('sh', ['-c', script], {});
}

describe('a program that the lab started', () => {
  it('is known by its output and its exit code', async () => {
    const finished = await shell('echo out; echo err >&2; exit 3').within(DEADLINE_MS);
    assert.deepEqual(finished, { code: 3, stdout: 'out\n', stderr: 'err\n' });
  });

  it('that cannot be started ends with 127 and the reason', async () => {
    const finished = await new Command('no-such-program', [], {}).within(DEADLINE_MS);
    assert.equal(finished.code, 127);
    assert.match(finished.stderr, /ENOENT/);
  });

  it('is killed at its deadline, with what it started', async () => {
    const program = shell('sleep 600 & echo $!; wait');
    const pid = await program.line('a pid', DEADLINE_MS, (line) => Number(line) || undefined);
    const late = (error: unknown) => errorCode(error) === 'E_LAB_TIMEOUT';
    await assert.rejects(program.within(1), late);
    assert.equal((await program.finished).code, 128 + 9);
    await until('what it started has ended', DEADLINE_MS, () =>
      existsSync(`/proc/${pid}/ns/net`) ? undefined : true,
    );
  });

  it('is waited for by what it says, and not for ever', async () => {
    const program = shell('echo one; echo two >&2; sleep 600');
    const word = (wanted: string) => (line: string) => (line === wanted ? wanted : undefined);
    assert.equal(await program.line('two', DEADLINE_MS, word('two')), 'two');
    assert.equal(await program.line('one', DEADLINE_MS, word('one')), 'one');
    await assert.rejects(program.line('three', 1, word('three')), { code: 'E_LAB_TIMEOUT' });
    const ended = program.line('four', DEADLINE_MS, word('four'));
    program.kill();
    await assert.rejects(ended, { code: 'E_LAB_COMMAND' });
  });
});
