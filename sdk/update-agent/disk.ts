/**
 * The few things that are done to files, behind a port, so that a test can fill the disk or cut
 * the power at every single one of them.
 *
 * Invariant: what `write` has returned from is on the disk, and a `rename` or `link` is either
 * done or not; everything that must survive a power cut is built from these.
 */
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '@peerage/sdk';

export interface Disk {
  /** The bytes of a file; `undefined` if there is none. */
  read(path: string): Promise<Buffer | undefined>;
  /** Writes a new file, or over an old one, and waits until it is on the disk. */
  write(path: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  /** Copies a file and waits until the copy is on the disk. */
  copy(from: string, to: string): Promise<void>;
  /** The bytes of a file, a part at a time. */
  stream(path: string): AsyncIterable<Uint8Array>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for the same bytes. */
  link(from: string, to: string): Promise<void>;
  /** Removes a file or a directory with all that is in it; nothing if there is none. */
  remove(path: string): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  /** The names in a directory; none if there is no such directory. */
  list(path: string): Promise<string[]>;
  /** Size in bytes; `undefined` if there is no such file. */
  sizeBytes(path: string): Promise<number | undefined>;
}

export const realDisk: Disk = {
  read: (path) => readFile(path).catch(absent),
  write,
  copy: async (from, to) => {
    await copyFile(from, to);
    const file = await open(to, 'r+');
    await file.sync().finally(() => file.close());
  },
  stream: (path) => createReadStream(path, { highWaterMark: 1024 * 1024 }),
  rename: async (from, to) => {
    await rename(from, to);
    await syncDirectory(dirname(to));
  },
  link,
  remove: (path) => rm(path, { recursive: true, force: true }),
  makeDirectory: async (path) => void (await mkdir(path, { recursive: true })),
  list: (path) => readdir(path).catch(() => []),
  sizeBytes: async (path) => (await stat(path).catch(absent))?.size,
};

/** Replaces a small file as a whole: after a power cut it is the old one or the new one. */
export async function replaceFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const fresh = `${path}.${randomBytes(4).toString('hex')}.new`;
  try {
    await disk.write(fresh, bytes);
    await disk.rename(fresh, path);
  } catch (error) {
    await disk.remove(fresh).catch(ignored);
    throw error;
  }
}

async function write(path: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'w', 0o644);
  try {
    if (bytes instanceof Uint8Array) await file.writeFile(bytes);
    else for await (const chunk of bytes) await writeAll(file, chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, at);
    at += bytesWritten;
  }
}

async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open a directory; its renames are in the file system's journal.
  const directory = await open(path, 'r').catch(() => undefined);
  if (directory === undefined) return;
  await directory.sync().catch(ignored);
  await directory.close();
}

function absent(error: unknown): undefined {
  if (errorCode(error) === 'ENOENT') return undefined;
  throw error;
}

/** The first error is the one that is told; cleaning up after it is an attempt. */
function ignored(): void {}
