/** The end of a command: nothing that it printed may be lost, and nothing may keep it. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { written } from '@peerage/core/cli/output.js';

type Taken = (error?: Error) => void;

describe('what a command printed', () => {
  it('is out before the command ends, however slow its reader is', async () => {
    const taking: Taken[] = [];
    const slow = new Writable({ write: (_chunk, _encoding, taken) => void taking.push(taken) });
    slow.write('the last line');
    let over = false;
    const ended = written(slow).then(() => {
      over = true;
    });
    await new Promise(setImmediate);
    assert.equal(over, false);
    taking.shift()?.();
    await new Promise(setImmediate);
    taking.shift()?.();
    await ended;
  });

  it('keeps no command whose reader has gone', async () => {
    const gone = new Writable({ write: (_chunk, _encoding, taken) => taken(new Error('EPIPE')) });
    await written(gone);
    await written(gone);
  });
});
