/**
 * An object that was lent to this process: a file whose pieces are checked as they are read. Small
 * ones stay in memory once they were found right.
 *
 * Invariant: no byte of a piece leaves before the whole piece was found right.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { CodedError } from '@peerage/sdk';
import { PieceCheck } from '../../trust/piece-check.js';
import { PIECE_BYTES } from '../../trust/pieces.js';

/** Largest object that is kept in memory, in bytes: what it saves is opening and reading a file. */
const KEPT_BYTES_MAX = 64 * 1024;
/** Memory for all of them together, in bytes; a plugin may use 256 MiB by default. */
const KEPT_TOTAL_BYTES_MAX = 32 * 1024 * 1024;

/** What is read at a time, in bytes: two pieces cost less than two times one (measured). */
const READ_BYTES = 2 * PIECE_BYTES;

interface Reading {
  /** Whether a chunk lasts only until the next one is asked for. */
  readonly transient: boolean;
  /** Delivers from `at` on where the file failed. */
  readonly replace: (at: number, error: unknown) => AsyncIterable<Uint8Array>;
}

export class LeasedObject {
  private static keptBytes = 0;
  private readonly path: string;
  private readonly sizeBytes: number;
  private readonly pieceCheck: PieceCheck;
  private kept: Buffer | undefined;
  private disposed = false;

  constructor(path: string, sizeBytes: number, hashes: Buffer) {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.pieceCheck = new PieceCheck(hashes);
  }

  /** Bytes `start` to `end`, exclusive. */
  read(start: number, end: number, reading: Reading): AsyncIterableIterator<Uint8Array> {
    if (start >= end) return new OneChunk(undefined);
    if (this.kept !== undefined) return new OneChunk(this.kept.subarray(start, end));
    return this.readFile(start, end, reading);
  }

  /** The lease is over: what it kept is given back. */
  dispose(): void {
    LeasedObject.keptBytes -= this.kept?.length ?? 0;
    this.kept = undefined;
    this.disposed = true;
  }

  private async *readFile(
    start: number,
    end: number,
    { transient, replace }: Reading,
  ): AsyncGenerator<Uint8Array> {
    let at = start;
    try {
      for await (const chunk of this.pieces(start, end, transient)) {
        at += chunk.length;
        yield chunk;
      }
    } catch (error) {
      yield* replace(at, error);
    }
  }

  /** Reads ahead, so that disk and checks work while the last chunk is on its way. */
  private async *pieces(start: number, end: number, transient: boolean): AsyncGenerator<Buffer> {
    const file = await open(this.path);
    const first = start - (start % PIECE_BYTES);
    const lengthBytes = Math.min(READ_BYTES, this.sizeBytes - first);
    let [free, used] = [Buffer.allocUnsafe(lengthBytes), Buffer.alloc(0)];
    let ahead: Promise<Buffer> | undefined;
    try {
      for (let base = first; base < end; base += READ_BYTES) {
        const bytes = await (ahead ?? readAt(file, free, base));
        this.check(bytes, base);
        // The chunk before this one is over, now that another one was asked for.
        [free, used] = [
          transient && used.length > 0 ? used : Buffer.allocUnsafe(lengthBytes),
          free,
        ];
        const next = base + READ_BYTES;
        ahead = next < end ? readAt(file, free, next) : undefined;
        yield bytes.subarray(Math.max(0, start - base), end - base);
      }
    } finally {
      await ahead?.catch(() => undefined);
      await file.close();
    }
  }

  /** @throws CodedError `E_OBJECT_CORRUPT` unless these are the bytes from `base` on, all of them */
  private check(bytes: Buffer, base: number): void {
    const expectedBytes = Math.min(READ_BYTES, this.sizeBytes - base);
    if (bytes.length !== expectedBytes) throw damaged(this.path);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      if (!this.pieceCheck.isRight(piece, (base + at) / PIECE_BYTES)) throw damaged(this.path);
    }
    if (base === 0) this.keep(bytes);
  }

  private keep(bytes: Buffer): void {
    const { sizeBytes } = this;
    if (this.kept !== undefined || this.disposed || sizeBytes > KEPT_BYTES_MAX) return;
    if (LeasedObject.keptBytes + sizeBytes > KEPT_TOTAL_BYTES_MAX) return;
    this.kept = Buffer.from(bytes);
    LeasedObject.keptBytes += sizeBytes;
  }
}

async function readAt(file: FileHandle, buffer: Buffer, position: number): Promise<Buffer> {
  const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
  return buffer.subarray(0, bytesRead);
}

function damaged(path: string): CodedError {
  return new CodedError('E_OBJECT_CORRUPT', `the lent object ${path} is damaged`);
}

/** A body of one chunk or none, without the cost of a generator. */
class OneChunk implements AsyncIterableIterator<Uint8Array> {
  private chunk: Uint8Array | undefined;

  constructor(chunk: Uint8Array | undefined) {
    this.chunk = chunk;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const { chunk } = this;
    this.chunk = undefined;
    if (chunk === undefined) return Promise.resolve({ done: true, value: undefined });
    return Promise.resolve({ done: false, value: chunk });
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.chunk = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
