/**
 * A client that stands ready and begins at a word: a real curl whose output is read as it comes.
 *
 * Each curl has started, has loaded all that it needs, and blocks in opening its configuration,
 * which is a pipe; so all of them ask within milliseconds of `begin`, however long it took to start
 * them. What they get is compared with the expected content byte by byte, at no cost of hashing.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './command.js';
import type { Place } from './place.js';
import { until } from './until.js';

/** A curl has started by then also when many do, in milliseconds. */
const READY_DEADLINE_MS = 30_000;
/** What is begun asks by then, in milliseconds; a first connection may be slow. */
const ASK_DEADLINE_MS = 30_000;

/** What a client saw; times in milliseconds of this process's clock (`performance.now`). */
export interface Taken {
  readonly host: string;
  /** When curl had sent its request. */
  readonly askedAt: number;
  readonly firstByteAt: number;
  readonly endedAt: number;
  /** The longest time between two reads after the first byte, the end included. */
  readonly longestStallMs: number;
  readonly receivedBytes: number;
  /** Whether it ended well with exactly the expected bytes. */
  readonly identical: boolean;
  readonly cacheStatus: string;
  /** What curl said, if it did not end well. */
  readonly failure: string;
}

let clients = 0;

export class CrowdClient {
  readonly #place: Place;
  readonly #expected: Buffer;
  readonly #pipe: string;
  readonly #program: Command;
  readonly #askedAt: Promise<number>;
  #writer: number | undefined;
  #receivedBytes = 0;
  #firstByteAt = 0;
  #readAt = 0;
  #longestStallMs = 0;
  #differs = false;

  private constructor(place: Place, expected: Buffer) {
    this.#place = place;
    this.#expected = expected;
    clients += 1;
    this.#pipe = join(place.directory, `begin-${clients}`);
    execFileSync('mkfifo', [this.#pipe]);
    const args = ['-sSv', '--fail', '--no-buffer', '-K', this.#pipe];
    this.#program = place.spawn('curl', args, { take: (bytes) => this.#take(bytes) });
    this.#askedAt = this.#program
      .line('its request', READY_DEADLINE_MS + ASK_DEADLINE_MS, (line) =>
        line.startsWith('> GET ') ? performance.now() : undefined,
      )
      .catch(() => Number.POSITIVE_INFINITY);
  }

  /** Clients on these places, all ready. */
  static async ready(places: readonly Place[], expected: Buffer): Promise<CrowdClient[]> {
    const made = places.map((place) => new CrowdClient(place, expected));
    for (const client of made) await client.#waits();
    return made;
  }

  /** Lets it ask, with these lines of curl's configuration. */
  begin(...lines: readonly string[]): void {
    if (this.#writer === undefined) throw new Error('invariant broken: a client begins once');
    writeSync(this.#writer, `${lines.join('\n')}\n`);
    closeSync(this.#writer);
    this.#writer = undefined;
  }

  /** Resolves when at least this much has come. */
  async has(bytes: number, deadlineMs: number): Promise<void> {
    const what = `${bytes} bytes on ${this.#place.name}`;
    const seen = () => `${this.#receivedBytes} bytes came`;
    const look = () => (this.#receivedBytes >= bytes ? true : undefined);
    await until(what, deadlineMs, look, seen);
  }

  /** What came, once curl has ended. @throws CodedError `E_LAB_TIMEOUT` */
  async taken(deadlineMs: number): Promise<Taken> {
    const { code, stderr } = await this.#program.within(deadlineMs);
    const endedAt = performance.now();
    if (this.#firstByteAt > 0) this.#noteGap(endedAt);
    rmSync(this.#pipe, { force: true });
    const whole = this.#receivedBytes === this.#expected.length;
    return {
      host: this.#place.name,
      askedAt: await this.#askedAt,
      firstByteAt: this.#firstByteAt,
      endedAt,
      longestStallMs: this.#longestStallMs,
      receivedBytes: this.#receivedBytes,
      identical: code === 0 && whole && !this.#differs,
      cacheStatus: /< (?:cache-status|peerage-source):\s*(.*?)\s*$/im.exec(stderr)?.[1] ?? '',
      failure: code === 0 ? '' : `${code}: ${/curl: .*/.exec(stderr)?.[0] ?? ''}`,
    };
  }

  /** Opening without waiting succeeds as soon as curl has the other end open. */
  async #waits(): Promise<void> {
    const flags = constants.O_WRONLY | constants.O_NONBLOCK;
    this.#writer = await until(`curl on ${this.#place.name}`, READY_DEADLINE_MS, () => {
      try {
        return openSync(this.#pipe, flags);
      } catch {
        // ENXIO: nobody reads yet.
        return undefined;
      }
    });
  }

  #take(bytes: Buffer): void {
    const now = performance.now();
    if (this.#firstByteAt === 0) this.#firstByteAt = now;
    else this.#noteGap(now);
    this.#readAt = now;
    const start = this.#receivedBytes;
    this.#receivedBytes += bytes.length;
    const expected = this.#expected.subarray(start, this.#receivedBytes);
    if (!expected.equals(bytes)) this.#differs = true;
  }

  #noteGap(now: number): void {
    this.#longestStallMs = Math.max(this.#longestStallMs, now - this.#readAt);
  }
}

/** Milliseconds between the first and the last request. */
export function spreadMs(taken: readonly Taken[]): number {
  const asked = taken.map(({ askedAt }) => askedAt);
  return Math.max(...asked) - Math.min(...asked);
}
