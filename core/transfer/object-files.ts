/**
 * Objects as files, named by their SHA-256 and nothing else: `objects/ab/abcd…`, beside it its
 * piece hashes (`.pieces`), and `attestations/ab/abcd…` named by the hash of their own bytes.
 * Written to `incoming/`, synced, renamed. Nothing from a URL or a peer ever becomes a path.
 *
 * Invariants: a file under its final name is complete; every piece is checked against its hash at
 * every read, so a flipped byte is never delivered (E_OBJECT_CORRUPT instead).
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CodedError, errorCode } from '@peerage/sdk';
import { assert } from '../base/assert.js';
import { chainHead, HASH_BYTES, isPiece, PIECE_BYTES, pieceCount } from '../trust/pieces.js';

const HEX = /^[0-9a-f]{64}$/;
const FOLDER = /^[0-9a-f]{2}$/;

/** Bytes on their way into the store. */
export interface Incoming {
  readonly path: string;
  readonly file: FileHandle;
  /** What it may hold: more than the whole store may cannot be kept. */
  readonly limitBytes: number;
}

export class ObjectFiles {
  private readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Makes the directories and sweeps what a kill left behind. */
  async prepare(): Promise<void> {
    await rm(join(this.root, 'incoming'), { recursive: true, force: true });
    for (const part of ['objects', 'attestations', 'incoming']) {
      await makeDirectory(resolve(this.root, part));
    }
  }

  path(kind: 'objects' | 'attestations', hash: string): string {
    assert(HEX.test(hash), 'a stored file is named by a SHA-256');
    return join(this.root, kind, hash.slice(0, 2), hash);
  }

  async create(limitBytes: number): Promise<Incoming> {
    const path = join(this.root, 'incoming', randomUUID());
    return { path, file: await open(path, 'wx+', 0o600), limitBytes };
  }

  async discard(incoming: Incoming): Promise<void> {
    await rm(incoming.path, { force: true });
  }

  /** Gives complete, hashed bytes their final name. The file stays open for its readers. */
  async keep(incoming: Incoming, sha256: string, hashes: Buffer): Promise<void> {
    const path = this.path('objects', sha256);
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
    await incoming.file.sync();
    await this.writeWhole(`${path}.pieces`, hashes);
    await rename(incoming.path, path);
  }

  async keepAttestation(id: string, bytes: Buffer): Promise<void> {
    const path = this.path('attestations', id);
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
    await this.writeWhole(path, bytes);
  }

  readAttestation(id: string): Promise<Buffer> {
    return readFile(this.path('attestations', id));
  }

  /** The list of piece hashes, checked against the chain. @throws CodedError `E_OBJECT_CORRUPT` */
  async readHashes(sha256: string, chain: string): Promise<Buffer> {
    const hashes = await readFile(`${this.path('objects', sha256)}.pieces`).catch(corrupt(sha256));
    if (chainHead(hashes) !== chain) throw corruption(sha256);
    return hashes;
  }

  /**
   * Bytes `start` to `end` (exclusive), in slices of verified pieces.
   * @throws CodedError `E_OBJECT_CORRUPT` before any byte of a bad piece
   */
  async *read(sha256: string, hashes: Buffer, start: number, end: number): AsyncGenerator<Buffer> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    const file = await open(this.path('objects', sha256), flags).catch(corrupt(sha256));
    try {
      const last = Math.min(pieceCount(end), hashes.length / HASH_BYTES);
      for (let piece = Math.floor(start / PIECE_BYTES); piece < last; piece += 1) {
        const base = piece * PIECE_BYTES;
        const buffer = Buffer.allocUnsafe(PIECE_BYTES);
        const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, base).catch(corrupt(sha256));
        const bytes = buffer.subarray(0, bytesRead);
        if (!isPiece(bytes, hashes, piece)) throw corruption(sha256);
        yield bytes.subarray(Math.max(0, start - base), Math.min(bytesRead, end - base));
      }
    } finally {
      await file.close();
    }
  }

  async remove(sha256: string): Promise<void> {
    const path = this.path('objects', sha256);
    await rm(path, { force: true });
    await rm(`${path}.pieces`, { force: true });
  }

  async removeAttestation(id: string): Promise<void> {
    await rm(this.path('attestations', id), { force: true });
  }

  /** The hashes of all files of a kind. */
  async list(kind: 'objects' | 'attestations'): Promise<Set<string>> {
    const names = await this.names(kind);
    return new Set(names.filter((name) => HEX.test(name)));
  }

  /** Removes piece hashes whose object was never put beside them. */
  async sweepPieces(objects: ReadonlySet<string>): Promise<void> {
    for (const name of await this.names('objects')) {
      const [sha256 = '', kind] = name.split('.');
      if (kind === 'pieces' && HEX.test(sha256) && !objects.has(sha256)) await this.remove(sha256);
    }
  }

  private async names(kind: 'objects' | 'attestations'): Promise<string[]> {
    const folders = (await readdir(join(this.root, kind))).filter((name) => FOLDER.test(name));
    const names: string[] = [];
    for (const folder of folders) names.push(...(await readdir(join(this.root, kind, folder))));
    return names;
  }

  private async writeWhole(path: string, bytes: Buffer): Promise<void> {
    const temporary = join(this.root, 'incoming', randomUUID());
    await writeFile(temporary, bytes, { mode: 0o600, flush: true });
    await rename(temporary, path);
  }
}

/**
 * Makes a directory and those above it. Not by Node's own recursive way, which tries again without
 * end where a file system answers ENOENT to everything.
 */
async function makeDirectory(path: string): Promise<void> {
  const known = await stat(path).catch(() => undefined);
  if (known?.isDirectory() === true) return;
  if (dirname(path) !== path) await makeDirectory(dirname(path));
  await mkdir(path, { mode: 0o700 });
}

function corruption(sha256: string, cause?: unknown): CodedError {
  return new CodedError('E_OBJECT_CORRUPT', `the stored object ${sha256} is damaged`, {
    action: 'it is dropped and fetched anew',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What a shortage of the system's says nothing about: the object is not damaged. */
const SHORTAGES = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EACCES', 'EPERM'];

function corrupt(sha256: string): (cause: unknown) => never {
  return (cause) => {
    throw SHORTAGES.includes(errorCode(cause)) ? cause : corruption(sha256, cause);
  };
}
