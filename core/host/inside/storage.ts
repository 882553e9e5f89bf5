/**
 * `Storage` in the plugin's process: one JSON file per key in its data directory, each written
 * beside its place, flushed and moved there, so that a crash leaves the old value or the new one.
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, errorCode, Storage } from '@peerage/sdk';

const KEY_LENGTH_MAX = 100;
const VALUE_BYTES_MAX = 1024 * 1024;
const ENDING = '.json';

export class FileStorage extends Storage {
  private readonly directory: string;
  private written = 0;

  constructor(dataDirectory: string) {
    super();
    this.directory = join(dataDirectory, 'storage');
  }

  override async get(key: string): Promise<unknown> {
    const path = this.pathOf(key);
    try {
      return JSON.parse(await readFile(path, 'utf8')) as unknown;
    } catch (cause) {
      if (errorCode(cause) === 'ENOENT') return undefined;
      throw new CodedError('E_STORAGE', `the value of "${key}" cannot be read`, { cause });
    }
  }

  override async set(key: string, value: unknown): Promise<void> {
    const path = this.pathOf(key);
    const text = JSON.stringify(value);
    if (text === undefined || Buffer.byteLength(text) > VALUE_BYTES_MAX) {
      throw new CodedError('E_STORAGE', `the value of "${key}" cannot be kept`, {
        expected: `a JSON value of at most ${VALUE_BYTES_MAX} bytes`,
      });
    }
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    this.written += 1;
    const beside = `${path}.${this.written}.new`;
    const file = await open(beside, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  }

  override async delete(key: string): Promise<void> {
    await rm(this.pathOf(key), { force: true });
  }

  override async keys(): Promise<readonly string[]> {
    const names = await readdir(this.directory).catch(() => []);
    return names
      .filter((name) => name.endsWith(ENDING))
      .map((name) => decodeURIComponent(name.slice(0, -ENDING.length)))
      .sort();
  }

  /** Percent-encoded, dots too: no key leaves the directory or hides in it. */
  private pathOf(key: string): string {
    if (typeof key !== 'string' || key === '' || key.length > KEY_LENGTH_MAX) {
      throw new CodedError('E_STORAGE', 'this is no key', {
        expected: `1 to ${KEY_LENGTH_MAX} characters`,
      });
    }
    const name = encodeURIComponent(key).replace(/[.*~!'()]/g, percent);
    return join(this.directory, `${name}${ENDING}`);
  }
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
