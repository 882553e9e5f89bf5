/**
 * clamd by its socket: what it has loaded, and that it shall load anew.
 *
 * `RELOAD` returns before the databases are loaded; the version that it tells is that of `daily`
 * once they are. A clamd that cannot load keeps what it had.
 */
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { CodedError } from '@peerage/sdk';
import { MAX_CLAMD_ANSWER_BYTES, RELOAD_LOOK_MS, RELOAD_TIMEOUT_MS } from './limits.js';

/** Time for one answer, in milliseconds; it answers also while it loads. */
const ANSWER_TIMEOUT_MS = 20_000;

export class Clamd {
  private readonly socket: string;

  constructor(socket: string) {
    this.socket = socket;
  }

  /** Loads anew; waits until `daily` is of this version, where that is known. */
  async reload(dailyVersion?: string, timeoutMs = RELOAD_TIMEOUT_MS): Promise<void> {
    const said = await this.ask('RELOAD');
    if (said !== 'RELOADING') throw failed(`clamd answered ${JSON.stringify(said.slice(0, 60))}`);
    if (dailyVersion === undefined) return;
    const endAt = performance.now() + timeoutMs;
    for (;;) {
      if ((await this.dailyVersion()) === dailyVersion) return;
      if (performance.now() >= endAt) throw failed(`clamd did not load daily ${dailyVersion}`);
      await pause(RELOAD_LOOK_MS);
    }
  }

  /** The version of `daily` that it scans with; `undefined` if it has none. */
  async dailyVersion(): Promise<string | undefined> {
    return /^ClamAV [^/]*\/([0-9]+)\//.exec(await this.ask('VERSION'))?.[1];
  }

  /** @throws CodedError `E_CLAMD_DOWN` */
  ask(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.socket);
      let answer = '';
      socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')));
      socket.once('connect', () => socket.write(`z${command}\0`));
      socket.on('data', (chunk) => {
        answer += chunk.toString('latin1');
        if (answer.length > MAX_CLAMD_ANSWER_BYTES) socket.destroy(new Error('it says too much'));
      });
      socket.once('error', (cause) => reject(down(this.socket, cause)));
      socket.once('close', () => resolve(answer.replace(/\0.*$/s, '')));
    });
  }
}

function down(socket: string, cause: Error): CodedError {
  return new CodedError('E_CLAMD_DOWN', `clamd does not answer at ${socket}`, {
    expected: 'a running clamd',
    action: 'start it, or correct clamav.clamdSocket; the next check tries again',
    cause,
  });
}

function failed(what: string): CodedError {
  return new CodedError('E_CLAMD_RELOAD', what, {
    expected: 'RELOADING, and the new version soon after',
    action: 'look at the log of clamd; the old databases were put back',
  });
}
