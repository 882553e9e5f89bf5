/**
 * A program that the lab started: its output, its end, and the certainty that it ends.
 *
 * Each runs in a process group of its own, so that ending it ends what it started too, and so that
 * a Ctrl-C on the terminal reaches the lab alone, which then cleans up in the right order.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { CodedError, type Disposable } from '@peerage/sdk';
import { onExit } from './cleanup.js';
import { Transcript } from './transcript.js';

/** How long a program may take unless its caller says otherwise, in milliseconds. */
const RUN_DEADLINE_MS = 120_000;
/** What a program gets to end by itself after SIGTERM, in milliseconds. */
const STOP_GRACE_MS = 10_000;
/** Characters of a failed program's output that an error quotes. */
const QUOTED_LENGTH = 2_000;

/** How a program ended; as in a shell, 128 + n means signal n, 127 that it could not start. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Given what the program writes on its standard output, which is then kept nowhere else. */
  readonly take?: (bytes: Buffer) => void;
}

export interface RunOptions extends CommandOptions {
  readonly deadlineMs?: number;
}

export class Command {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  readonly #label: string;
  readonly #stdout = new Transcript();
  readonly #stderr = new Transcript();
  readonly #registration: Disposable;

  constructor(command: string, args: readonly string[], options: CommandOptions) {
    this.#label = [command, ...args].join(' ').slice(0, 200);
    const { take, ...rest } = options;
    this.child = spawn(command, args, {
      ...rest,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (take !== undefined) this.child.stdout?.on('data', take);
    else this.child.stdout?.setEncoding('utf8').on('data', (chunk) => this.#stdout.append(chunk));
    this.child.stderr?.setEncoding('utf8').on('data', (chunk) => this.#stderr.append(chunk));
    this.#registration = onExit(() => this.kill());
    this.finished = this.#end();
  }

  get stdout(): string {
    return this.#stdout.text;
  }

  get stderr(): string {
    return this.#stderr.text;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /**
   * The first line on either stream that `accept` makes something of.
   * @throws CodedError `E_LAB_COMMAND` if it ends before, `E_LAB_TIMEOUT` at the deadline
   */
  line<T>(what: string, deadlineMs: number, accept: (line: string) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const unfollow: (() => void)[] = [];
      let settled = false;
      const settle = (act: () => void) => {
        settled = true;
        for (const stop of unfollow) stop();
        act();
      };
      const fail = (code: string, message: string) =>
        settled || settle(() => reject(this.#failure(code, message, what)));
      const listen = (line: string) => {
        const value = accept(line);
        if (value !== undefined) settle(() => resolve(value));
      };
      unfollow.push(this.#stdout.follow(listen), this.#stderr.follow(listen));
      if (settled) for (const stop of unfollow) stop();
      const late = () => fail('E_LAB_TIMEOUT', 'said nothing of it in time');
      AbortSignal.timeout(deadlineMs).addEventListener('abort', late);
      void this.finished.then(({ code }) => fail('E_LAB_COMMAND', `ended with ${code}`));
    });
  }

  /** Sends a signal to the program itself. */
  signal(name: NodeJS.Signals): void {
    if (this.running) this.child.kill(name);
  }

  /** Ends the program and all that it started and that stayed in its group, at once. */
  kill(): void {
    if (this.child.pid === undefined || !this.running) return;
    try {
      process.kill(-this.child.pid, 'SIGKILL');
    } catch {
      this.child.kill('SIGKILL');
    }
  }

  /** Asks the program to end and waits for it; after the grace it is killed. */
  async stop(graceMs: number = STOP_GRACE_MS): Promise<Finished> {
    this.signal('SIGTERM');
    return this.within(graceMs).catch(() => {
      this.kill();
      return this.finished;
    });
  }

  /** The end of the program, killed at the deadline. @throws CodedError `E_LAB_TIMEOUT` */
  within(deadlineMs: number = RUN_DEADLINE_MS): Promise<Finished> {
    const late = new Promise<never>((_, reject) => {
      AbortSignal.timeout(deadlineMs).addEventListener('abort', () => {
        reject(this.#failure('E_LAB_TIMEOUT', 'did not end in time', `end in ${deadlineMs} ms`));
        this.kill();
      });
    });
    return Promise.race([this.finished, late]);
  }

  #end(): Promise<Finished> {
    return new Promise((resolve) => {
      const end = (code: number) => {
        this.#registration.dispose();
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      };
      this.child.once('error', (error) => {
        this.#stderr.append(`${error.message}\n`);
        end(127);
      });
      this.child.once('close', (code, signal) => {
        end(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  }

  #failure(code: string, message: string, expected: string): CodedError {
    const said = `${this.stdout}\n${this.stderr}`.trim().slice(-QUOTED_LENGTH);
    return new CodedError(code, `${this.#label}: ${message}`, {
      expected,
      action: `said: ${said}`,
    });
  }
}

/**
 * The result of a program that had to succeed.
 * @throws CodedError `E_LAB_COMMAND` with what it said, if it did not
 */
export function succeeded(what: string, finished: Finished): Finished {
  if (finished.code === 0) return finished;
  const said = `${finished.stdout}\n${finished.stderr}`.trim().slice(-QUOTED_LENGTH);
  throw new CodedError('E_LAB_COMMAND', `${what}: ended with ${finished.code}`, {
    expected: 'exit code 0',
    action: `said: ${said}`,
  });
}
