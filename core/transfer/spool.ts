/**
 * Bytes on their way: one writer, any number of readers that follow it, each at its own pace.
 *
 * While there is a file, bytes go to it and readers read it (from the page cache), so a slow
 * client never slows the download. Without one (not storable, or the disk is full) bytes wait in a
 * bounded memory and the writer waits for the slowest reader.
 *
 * Invariants: a reader gets every byte from its start in order, or throws; it ends cleanly only
 * after `end()`; the file is closed once, after the writer and the last reader are done; the file
 * never grows beyond its limit; a writer never waits for readers that are not there.
 */
import type { FileHandle } from 'node:fs/promises';
import { CodedError } from '@peerage/sdk';

/** What may wait in memory when there is no file. */
const MEMORY_BYTES_MAX = 1024 * 1024;
/** One read of a follower. */
const READ_BYTES = 256 * 1024;
/** The latest bytes stay in memory although a file has them: nearly every reader wants just these. */
const RECENT_BYTES_MAX = 512 * 1024;

interface Follower {
  at: number;
}

interface Chunk {
  readonly at: number;
  readonly bytes: Buffer;
}

export class Spool {
  private file: FileHandle | undefined;
  private fileBytes = 0;
  private recent: Chunk[] = [];
  private readonly memory: Buffer[] = [];
  private memoryBytes = 0;
  private readonly followers = new Set<Follower>();
  private waiting: Array<() => void> = [];
  private state: 'open' | 'ended' | 'failed' = 'open';
  private error: unknown;
  /** Bytes at the front of the memory's range that every reader has passed. */
  private dropped = 0;
  /** The writer, and whoever else will come back for more. */
  private holders = 1;
  private left = false;
  private readonly limitBytes: number;
  /** Called when the last reader has left and nothing is kept: the source can be given up. */
  onDeserted: (() => void) | undefined;

  /**
   * @param firstByte where the bytes begin, if this is only the later part of a resource
   * @param limitBytes what the file may hold; a body without a length could be endless
   */
  constructor(
    file: FileHandle | undefined,
    firstByte = 0,
    limitBytes: number = Number.POSITIVE_INFINITY,
  ) {
    this.file = file;
    this.fileBytes = firstByte;
    this.limitBytes = limitBytes;
  }

  get writtenBytes(): number {
    return this.fileBytes + this.memoryBytes;
  }

  get stored(): boolean {
    return this.file !== undefined && this.memoryBytes === 0;
  }

  /** Whether its readers have left and nothing is kept: whoever comes now comes too late. */
  get deserted(): boolean {
    return this.left && this.followers.size === 0 && !this.stored && this.state !== 'ended';
  }

  /**
   * Adds bytes; resolves when there is room for more.
   * @returns false if the file cannot take them: from now on bytes only pass through
   * @throws CodedError `E_CANCELLED` if nobody reads what only passes through
   */
  async append(chunk: Buffer): Promise<boolean> {
    const fits = this.fileBytes + chunk.length <= this.limitBytes;
    if (this.file !== undefined && this.memoryBytes === 0 && fits) {
      try {
        await writeAll(this.file, chunk, this.fileBytes);
        this.remember({ at: this.fileBytes, bytes: chunk });
        this.fileBytes += chunk.length;
        this.wake();
        return true;
      } catch (error) {
        this.error = error;
      }
    }
    this.memory.push(chunk);
    this.memoryBytes += chunk.length;
    this.wake();
    while (this.heldBytes() > MEMORY_BYTES_MAX && this.state === 'open') {
      if (this.followers.size === 0)
        throw new CodedError('E_CANCELLED', 'nobody reads this download');
      await this.change();
    }
    return false;
  }

  end(): void {
    if (this.state === 'open') this.state = 'ended';
    this.wake();
    void this.closeIfDone();
  }

  fail(error: unknown): void {
    if (this.state === 'open') {
      this.state = 'failed';
      this.error = error;
    }
    this.wake();
    void this.closeIfDone();
  }

  /**
   * Bytes `start` to `end` (exclusive; `undefined`: to the end), as they arrive. The reader counts
   * from now on, also before its first `next()`; it must be read to its end or closed.
   */
  read(start: number, end: number | undefined): AsyncIterableIterator<Buffer> {
    if (!this.holds(start)) {
      throw new CodedError('E_BYTES_GONE', 'the beginning of this download was not kept', {
        action: 'ask again',
      });
    }
    const follower: Follower = { at: start };
    this.followers.add(follower);
    const step = async (): Promise<IteratorResult<Buffer>> => {
      const over = !this.followers.has(follower) || (end !== undefined && follower.at >= end);
      const chunk = over ? undefined : await this.next(follower, end);
      if (chunk === undefined) {
        this.leave(follower);
        return { done: true, value: undefined };
      }
      follower.at += chunk.length;
      this.wake();
      return { done: false, value: chunk };
    };
    const iterator: AsyncIterableIterator<Buffer> = {
      next: () =>
        step().catch((error: unknown) => {
          this.leave(follower);
          throw error;
        }),
      return: () => {
        this.leave(follower);
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Whether a reader may begin at this byte. */
  holds(start: number): boolean {
    return start >= this.firstHeldByte();
  }

  private leave(follower: Follower): void {
    if (!this.followers.delete(follower)) return;
    this.left = true;
    this.wake();
    if (this.state === 'open' && this.deserted) this.onDeserted?.();
    void this.closeIfDone();
  }

  private async next(follower: Follower, end: number | undefined): Promise<Buffer | undefined> {
    for (;;) {
      const { at } = follower;
      if (at < this.fileBytes) {
        const recent = this.readRecent(at, end);
        if (recent !== undefined) return recent;
        const lengthBytes = Math.min(READ_BYTES, this.fileBytes - at, (end ?? Infinity) - at);
        return this.readFile(at, lengthBytes);
      }
      const held = this.readMemory(at, end);
      if (held !== undefined) return held;
      if (this.state === 'ended') return undefined;
      if (this.state === 'failed') throw this.error;
      await this.change();
    }
  }

  private remember(chunk: Chunk): void {
    this.recent.push(chunk);
    const oldest = chunk.at + chunk.bytes.length - RECENT_BYTES_MAX;
    while (this.recent[0] !== undefined && this.recent[0].at < oldest) this.recent.shift();
  }

  private readRecent(at: number, end: number | undefined): Buffer | undefined {
    const chunk = this.recent.findLast((candidate) => candidate.at <= at);
    return chunk?.bytes.subarray(at - chunk.at, (end ?? Infinity) - chunk.at);
  }

  private async readFile(at: number, lengthBytes: number): Promise<Buffer> {
    if (this.file === undefined) throw new Error('invariant broken: the spool was closed');
    const buffer = Buffer.allocUnsafe(lengthBytes);
    const { bytesRead } = await this.file.read(buffer, 0, lengthBytes, at);
    if (bytesRead === 0) throw new CodedError('E_OBJECT_CORRUPT', 'a download lost its bytes');
    return buffer.subarray(0, bytesRead);
  }

  /** The first byte still in memory; chunks that every reader passed are dropped here. */
  private firstHeldByte(): number {
    this.forgetPassed();
    const whole = this.file !== undefined && this.dropped === 0;
    return whole ? 0 : this.fileBytes + this.dropped;
  }

  private forgetPassed(): void {
    let slowest = Number.POSITIVE_INFINITY;
    for (const follower of this.followers) slowest = Math.min(slowest, follower.at);
    if (this.followers.size === 0) return;
    for (;;) {
      const [first] = this.memory;
      if (first === undefined) return;
      if (this.fileBytes + this.dropped + first.length > slowest) return;
      this.memory.shift();
      this.dropped += first.length;
    }
  }

  private heldBytes(): number {
    this.forgetPassed();
    return this.memoryBytes - this.dropped;
  }

  private readMemory(at: number, end: number | undefined): Buffer | undefined {
    let base = this.fileBytes + this.dropped;
    for (const chunk of this.memory) {
      if (at < base + chunk.length) {
        return chunk.subarray(at - base, Math.min(chunk.length, (end ?? Infinity) - base));
      }
      base += chunk.length;
    }
    return undefined;
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  private async closeIfDone(): Promise<void> {
    if (
      this.state === 'open' ||
      this.followers.size > 0 ||
      this.file === undefined ||
      this.holders > 0
    )
      return;
    const { file } = this;
    this.file = undefined;
    this.recent = [];
    await file.close();
  }

  /** Keeps what is there readable until `release`; for those who read one part after another. */
  hold(): void {
    this.holders += 1;
  }

  /** The writer (the file was committed or discarded) or a holder needs it no longer. */
  release(): void {
    this.holders -= 1;
    void this.closeIfDone();
  }
}

async function writeAll(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  let at = 0;
  while (at < chunk.length) {
    const { bytesWritten } = await file.write(chunk, at, chunk.length - at, position + at);
    at += bytesWritten;
  }
}
