/**
 * An object that was lent to this process: a file whose pieces are checked as they are read. Small
 * ones stay in memory once they were found right.
 *
 * Invariant: no byte of a piece leaves before the whole piece was found right.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { CodedError } from '@peerage/sdk';
import { PieceCheck } from '../../trust/piece-check.js';
import { PIECE_BYTES, pieceCount } from '../../trust/pieces.js';

/** Largest object that is kept in memory, in bytes: what it saves is opening and reading a file. */
const KEPT_BYTES_MAX = 64 * 1024;
/** Memory for all of them together, in bytes; a plugin may use 256 MiB by default. */
const KEPT_TOTAL_BYTES_MAX = 32 * 1024 * 1024;

/** Delivers from `at` on where the file failed. */
type Replace = (at: number, error: unknown) => AsyncIterable<Uint8Array>;

export class LeasedObject {
  private static keptBytes = 0;
  private readonly path: string;
  private readonly sizeBytes: number;
  private readonly check: PieceCheck;
  private kept: Buffer | undefined;
  private disposed = false;

  constructor(path: string, sizeBytes: number, hashes: Buffer) {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.check = new PieceCheck(hashes);
  }

  /** Bytes `start` to `end`, exclusive. */
  read(start: number, end: number, replace: Replace): AsyncIterableIterator<Uint8Array> {
    if (start >= end) return new OneChunk(undefined);
    if (this.kept !== undefined) return new OneChunk(this.kept.subarray(start, end));
    return this.readFile(start, end, replace);
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
    replace: Replace,
  ): AsyncGenerator<Uint8Array> {
    let at = start;
    try {
      for await (const chunk of this.pieces(start, end)) {
        at += chunk.length;
        yield chunk;
      }
    } catch (error) {
      yield* replace(at, error);
    }
  }

  /** Reads one piece ahead, so that disk and checks work while the last piece is on its way. */
  private async *pieces(start: number, end: number): AsyncGenerator<Buffer> {
    const file = await open(this.path);
    let ahead: Promise<Buffer> | undefined;
    try {
      const last = pieceCount(end);
      for (let piece = Math.floor(start / PIECE_BYTES); piece < last; piece += 1) {
        const bytes = await (ahead ?? readPiece(file, piece));
        ahead = piece + 1 < last ? readPiece(file, piece + 1) : undefined;
        if (!this.check.isRight(bytes, piece)) throw damaged(this.path);
        this.keep(bytes);
        const base = piece * PIECE_BYTES;
        yield bytes.subarray(Math.max(0, start - base), end - base);
      }
    } finally {
      await ahead?.catch(() => undefined);
      await file.close();
    }
  }

  private keep(bytes: Buffer): void {
    const { sizeBytes } = this;
    if (this.kept !== undefined || this.disposed || sizeBytes > KEPT_BYTES_MAX) return;
    if (LeasedObject.keptBytes + sizeBytes > KEPT_TOTAL_BYTES_MAX) return;
    this.kept = Buffer.from(bytes);
    LeasedObject.keptBytes += sizeBytes;
  }
}

async function readPiece(file: FileHandle, piece: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, piece * PIECE_BYTES);
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
