/**
 * The directory that clamd and clamscan read: which versions are there, and putting one there
 * without freshclam.
 *
 *   test load by clamscan ─► place beside, all or none ─► clamd loads anew ─► commit, or back
 *
 * Invariant: at the end of `place`, with or without error, the directory has a database that
 * clamscan could load, and clamd was told of the one that is there.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, errorCode, type ProgramService } from '@peerage/sdk';
import { type Disk, placeFiles, realDisk, recoverPlacement } from '@peerage/update-agent';
import type { Clamd } from './clamd.js';
import { TEST_LOAD_TIMEOUT_MS } from './limits.js';
import { readHeader } from './verify.js';

/** A database as freshclam leaves it: as it came, or unpacked by differences. */
const ENDINGS = ['cvd', 'cld'] as const;

export interface DatabasesOptions {
  readonly directory: string;
  /** For the journal and the file that is scanned for a test. */
  readonly workDirectory: string;
  readonly programs: Pick<ProgramService, 'run'>;
  /** `undefined`: nobody is told. */
  readonly clamd: Clamd | undefined;
}

export class Databases {
  private readonly options: DatabasesOptions;
  private readonly disk: Disk = realDisk;

  constructor(options: DatabasesOptions) {
    this.options = options;
  }

  /** Puts back what a sudden end has left between old and new. */
  async recover(): Promise<void> {
    await recoverPlacement(this.journal);
  }

  /** The version of a database that is there, and its file. */
  async find(database: string): Promise<{ version: number; path: string } | undefined> {
    let found: { version: number; path: string } | undefined;
    for (const ending of ENDINGS) {
      const path = join(this.options.directory, `${database}.${ending}`);
      const header = await readHeader(path).catch(noDatabase);
      if (header !== undefined && header.version > (found?.version ?? 0)) {
        found = { version: header.version, path };
      }
    }
    return found;
  }

  /** Keeps the file that is there now, to be able to go back to it. */
  async keep(database: string, directory: string): Promise<void> {
    const found = await this.find(database);
    if (found === undefined) return;
    const copy = join(directory, `kept.${found.path.endsWith('.cld') ? 'cld' : 'cvd'}`);
    if ((await this.disk.sizeBytes(copy)) !== undefined) return;
    await this.disk.copy(found.path, `${copy}.part`);
    await this.disk.rename(`${copy}.part`, copy);
  }

  /** Puts a database file in force in place of the one that is there. */
  async place(database: string, path: string, version: string): Promise<void> {
    await this.testLoad(database, path);
    const ending = path.endsWith('.cld') ? 'cld' : 'cvd';
    const to = join(this.options.directory, `${database}.${ending}`);
    const other = join(this.options.directory, `${database}.${ending === 'cld' ? 'cvd' : 'cld'}`);
    // Both forms of a database side by side would be loaded both.
    const placement = await placeFiles([{ from: path, to }, { to: other }], this.journal);
    try {
      await this.options.clamd?.reload(database === 'daily' ? version : undefined);
    } catch (error) {
      await placement.revert();
      await this.options.clamd?.reload().catch(() => undefined);
      throw error;
    }
    await placement.commit();
  }

  /** Tells clamd that freshclam has put a new version there. */
  async announce(database: string, version: string): Promise<void> {
    await this.options.clamd?.reload(database === 'daily' ? version : undefined);
  }

  private get journal(): string {
    return join(this.options.workDirectory, 'placement.json');
  }

  /** @throws CodedError `E_CLAMAV_LOAD` */
  private async testLoad(database: string, path: string): Promise<void> {
    const { programs, workDirectory } = this.options;
    const target = join(workDirectory, 'harmless.txt');
    await writeFile(target, 'harmless\n');
    // It goes by the ending and the name of the file, so it gets a copy with the right one.
    const ending = path.endsWith('.cld') ? 'cld' : 'cvd';
    const copy = join(workDirectory, `${database}.${ending}`);
    await this.disk.copy(path, copy);
    try {
      const timeoutMs = TEST_LOAD_TIMEOUT_MS;
      const ended = await programs.run('clamscan', { database: copy, target }, { timeoutMs });
      if (ended.exitCode === 0) return;
      const said = `${ended.stderr}\n${ended.stdout}`.trim().slice(0, 300);
      throw new CodedError('E_CLAMAV_LOAD', `clamscan cannot use ${database}: ${said}`, {
        expected: 'exit code 0',
        action: 'the old database stays in force; the next check tries again',
      });
    } finally {
      await this.disk.remove(copy);
    }
  }
}

function noDatabase(error: unknown): undefined {
  if (['ENOENT', 'E_CVD_HEADER'].includes(errorCode(error))) return undefined;
  throw error;
}
