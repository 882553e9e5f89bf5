/**
 * What the mirror of this node can give: verified databases and differences, from the shelf, and
 * on demand through the LAN.
 *
 * A node that follows by differences holds no whole database until a client asks for one; it is
 * then retrieved once, verified and kept beside its header. Invariants: nothing unverified is
 * given; the version that is served is set by the feed alone and its header is always held.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, errorCode, type Log, type PeeringService } from '@peerage/sdk';
import { type Disk, type ReleaseFile, realDisk, retrieve, type Shelf } from '@peerage/update-agent';
import type { DatabaseHeader } from './header.js';
import { parseHeader } from './header.js';
import type { ClamavKeys } from './keys.js';
import { MAX_DATABASE_BYTES, MAX_DIFFERENCE_BYTES } from './limits.js';
import { verifyDatabase, verifyDifference } from './verify.js';

/** Files of one database that are kept for clients that were away, by kind. */
const MAX_KEPT = { cvd: 2, cdiff: 90, 'cdiff.sign': 90, 'cvd.sign': 4 };

/** Largest detached signature, in bytes; those seen have 3 KB. */
const MAX_SIGN_BYTES = 64 * 1024;
const SIGN_HEAD = '#clamsign-';

/** How long it is believed that nobody has a file, in milliseconds. */
const MISSING_MS = 3_600_000;
const MAX_MISSING = 1_000;

export interface LibraryOptions {
  readonly shelf: Shelf;
  readonly directory: string;
  readonly peering: Pick<PeeringService, 'open'>;
  readonly keys: ClamavKeys;
  readonly log: Log;
  readonly now: () => number;
  readonly urlOfDatabase: (database: string, version: number) => string;
  /** `undefined` where the source has no differences. */
  readonly urlOfDifference: (database: string, version: number) => string | undefined;
  readonly urlOfSign: (name: string) => string | undefined;
}

export class Library {
  private readonly serving = new Map<string, DatabaseHeader>();
  private readonly running = new Map<string, Promise<string | undefined>>();
  private readonly missing = new Map<string, number>();
  private readonly options: LibraryOptions;
  private readonly disk: Disk = realDisk;

  constructor(options: LibraryOptions) {
    this.options = options;
  }

  /** Takes up what was in force before this start. */
  async restore(databases: readonly string[]): Promise<void> {
    for (const database of databases) {
      const { version } = this.options.shelf.state(database);
      if (version !== undefined) await this.serve(database, version);
    }
  }

  /** Gives this version from now on. */
  async serve(database: string, version: string): Promise<void> {
    const path = this.options.shelf.path(database, version, `${database}.head`);
    const bytes = await this.disk.read(path);
    if (bytes !== undefined) this.serving.set(database, parseHeader(bytes));
  }

  /** Gives this version where none is given yet; its content is judged when it is asked for. */
  introduce(database: string, header: DatabaseHeader): void {
    if (!this.serving.has(database)) this.serving.set(database, header);
  }

  /** The header of the version that is given. */
  header(database: string): DatabaseHeader | undefined {
    return this.serving.get(database);
  }

  /** The path of a verified whole database; `undefined` if it is nowhere to be had. */
  async database(database: string, version: number): Promise<string | undefined> {
    const name = `${database}.cvd`;
    const kept = this.options.shelf.path(database, String(version), name);
    if ((await this.disk.sizeBytes(kept)) !== undefined) return kept;
    return this.once(`${database} ${version}`, async () => {
      const url = this.options.urlOfDatabase(database, version);
      const path = join(this.options.directory, `${database}-${version}.cvd`);
      const file = { name, url, isVersioned: true, sizeMaxBytes: MAX_DATABASE_BYTES };
      await this.fetch(file, path, () =>
        verifyDatabase(path, database, version, this.options.keys),
      );
      // Its directory may have been dropped while it came.
      if ((await this.options.shelf.kept(database)).includes(String(version))) {
        await rename(path, kept);
        return kept;
      }
      await this.prune(database);
      return path;
    });
  }

  /** The path of the verified difference that leads to a version. */
  async difference(database: string, version: number): Promise<string | undefined> {
    const name = `${database}-${version}.cdiff`;
    for (const kept of await this.options.shelf.kept(database)) {
      const path = this.options.shelf.path(database, kept, name);
      if ((await this.disk.sizeBytes(path)) !== undefined) return path;
    }
    const path = join(this.options.directory, name);
    if ((await this.disk.sizeBytes(path)) !== undefined) return path;
    const url = this.options.urlOfDifference(database, version);
    if (url === undefined) return undefined;
    return this.once(name, async () => {
      const file = { name, url, isVersioned: true, sizeMaxBytes: MAX_DIFFERENCE_BYTES };
      await this.fetch(file, path, async () => {
        const bytes = (await this.disk.read(path)) ?? Buffer.alloc(0);
        await verifyDifference(bytes, database, version, this.options.keys);
      });
      await this.prune(database);
      return path;
    });
  }

  /**
   * The path of the detached signature of a file (ClamAV 1.5). It vouches for others and for
   * nothing itself: the client verifies it, here only its form is judged.
   */
  async sign(name: string): Promise<string | undefined> {
    const path = join(this.options.directory, `${name}.sign`);
    if ((await this.disk.sizeBytes(path)) !== undefined) return path;
    const url = this.options.urlOfSign(`${name}.sign`);
    if (url === undefined) return undefined;
    return this.once(`${name}.sign`, async () => {
      const file = { name: `${name}.sign`, url, isVersioned: true, sizeMaxBytes: MAX_SIGN_BYTES };
      await this.fetch(file, path, async () => {
        const text = (await this.disk.read(path))?.toString('latin1') ?? '';
        if (!text.startsWith(SIGN_HEAD)) throw notSign(name);
      });
      await this.prune(name.slice(0, name.lastIndexOf('-')));
      return path;
    });
  }

  /** One retrieval of a file at a time; what nobody has is not asked for again for a while. */
  private async once(
    key: string,
    get: () => Promise<string | undefined>,
  ): Promise<string | undefined> {
    const { now, log } = this.options;
    if (now() < (this.missing.get(key) ?? 0)) return undefined;
    const running = this.running.get(key);
    if (running !== undefined) return running;
    const begun = get()
      .catch((error: unknown) => {
        const code = errorCode(error);
        log.warn('not-retrieved', { file: key, code, error });
        if (code === 'E_UPDATE_STATUS') this.noteMissing(key);
        return undefined;
      })
      .finally(() => this.running.delete(key));
    this.running.set(key, begun);
    return begun;
  }

  private noteMissing(key: string): void {
    const [oldest] = this.missing.keys();
    if (this.missing.size >= MAX_MISSING && oldest !== undefined) this.missing.delete(oldest);
    this.missing.set(key, this.options.now() + MISSING_MS);
  }

  /** From the LAN; where that gave something bad, from the origin itself. */
  private async fetch(
    file: ReleaseFile,
    path: string,
    judge: () => Promise<unknown>,
  ): Promise<void> {
    const { peering, directory, log } = this.options;
    await this.disk.makeDirectory(directory);
    for (const isUnshared of [false, true]) {
      await retrieve(file, path, { peering, disk: this.disk, isUnshared });
      try {
        await judge();
        return;
      } catch (error) {
        await this.disk.remove(path);
        if (isUnshared) throw error;
        log.warn('bad-copy', { file: file.name, error });
      }
    }
  }

  /** Of each kind the files of the newest versions stay. */
  private async prune(database: string): Promise<void> {
    const { directory } = this.options;
    const names = await this.disk.list(directory);
    for (const [kind, count] of Object.entries(MAX_KEPT)) {
      const versions = names.flatMap((name) => {
        const match = /^(.+)-([0-9]+)\.(.+)$/.exec(name);
        return match?.[1] === database && match[3] === kind ? [Number(match[2])] : [];
      });
      versions.sort((a, b) => b - a);
      for (const version of versions.slice(count)) {
        await this.disk.remove(join(directory, `${database}-${version}.${kind}`));
      }
    }
  }
}

function notSign(name: string): CodedError {
  return new CodedError('E_CVD_SIGN', `what came for ${name}.sign is no signature`, {
    expected: `a text that begins with ${SIGN_HEAD}`,
    action: 'nothing: the client goes by the signature inside the file',
  });
}
