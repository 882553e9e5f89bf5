/**
 * ClamAV as a feed of the update agent: what is newest, which files lead there, whether they are
 * genuine, and what puts them in force.
 *
 * A node that has a version goes on by differences, which are small; one that has none, or is far
 * behind, takes the whole. The provider's news carries the header itself, which is signed, so that
 * the others know what the mirror has to say without asking anybody.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, type Log } from '@peerage/sdk';
import {
  compareVersions,
  type Feed,
  type Installation,
  type News,
  type Release,
  type ReleaseFile,
  type Shelf,
} from '@peerage/update-agent';
import type { Databases } from './databases.js';
import type { Freshclam } from './freshclam.js';
import { type DatabaseHeader, demandSignedHeader, parseHeader } from './header.js';
import type { ClamavKeys } from './keys.js';
import type { Library } from './library.js';
import { MAX_DATABASE_BYTES, MAX_DIFFERENCE_BYTES, MAX_DIFFERENCES } from './limits.js';
import { verifyDatabase, verifyDifference } from './verify.js';

/** Characters of a value of an announcement. */
const NEWS_VALUE_CHARACTERS = 200;

/** Where the newest versions come from. */
export interface ClamavSource {
  header(database: string): Promise<DatabaseHeader>;
  databaseUrl(database: string, version: number): string;
  /** `undefined` where there are no differences. */
  differenceUrl(database: string, version: number): string | undefined;
  /** Of the detached signature of a file; `undefined` where there are none. */
  signUrl(name: string): string | undefined;
}

export interface ClamavFeedOptions {
  readonly databases: readonly string[];
  readonly source: ClamavSource;
  readonly shelf: Shelf;
  readonly library: Library;
  readonly keys: ClamavKeys;
  readonly mode: 'freshclam' | 'mirror' | 'place';
  readonly directory: Databases;
  readonly freshclam: Pick<Freshclam, 'run'>;
  readonly log: Log;
}

export class ClamavFeed implements Feed {
  readonly name = 'clamav';
  private readonly options: ClamavFeedOptions;
  /** The headers of what is offered, so that a node without the whole has them too. */
  private readonly headers = new Map<string, DatabaseHeader>();

  constructor(options: ClamavFeedOptions) {
    this.options = options;
  }

  async poll(): Promise<readonly Release[]> {
    const releases: Release[] = [];
    for (const database of this.options.databases) {
      releases.push(await this.release(database, await this.options.source.header(database)));
    }
    return releases;
  }

  async learn(news: readonly News[]): Promise<readonly Release[]> {
    const releases: Release[] = [];
    for (const { component, version, details, from } of news) {
      if (!this.options.databases.includes(component)) continue;
      try {
        const header = parseHeader(Buffer.from(headerOf(details), 'latin1'));
        if (String(header.version) !== version) throw new Error(`a header of ${header.version}`);
        releases.push(await this.release(component, header));
      } catch (error) {
        this.options.log.warn('news-refused', { component, version, from, error });
      }
    }
    return releases;
  }

  details({ component }: Release): Record<string, string> {
    const text = this.headers.get(component)?.text ?? '';
    const values: Record<string, string> = {};
    for (let at = 0; at * NEWS_VALUE_CHARACTERS < text.length; at += 1) {
      const start = at * NEWS_VALUE_CHARACTERS;
      values[`header-${at}`] = text.slice(start, start + NEWS_VALUE_CHARACTERS);
    }
    return values;
  }

  async verify(release: Release, directory: string): Promise<void> {
    const { keys } = this.options;
    const { component, version, files } = release;
    for (const { name } of files) {
      const path = join(directory, name);
      const number = /-([0-9]+)\.cdiff$/.exec(name)?.[1];
      if (number === undefined) await verifyDatabase(path, component, Number(version), keys);
      else await verifyDifference(await readFile(path), component, Number(number), keys);
    }
    const text = this.headers.get(component)?.text ?? '';
    await writeFile(join(directory, `${component}.head`), text, 'latin1');
  }

  /** The whole, where the differences do not lead there. */
  instead(release: Release): Release | undefined {
    const { component, version, files } = release;
    if (files.every(({ name }) => !name.endsWith('.cdiff'))) return undefined;
    return { ...release, files: [this.whole(component, Number(version))] };
  }

  async installed(component: string): Promise<string | undefined> {
    const { mode, directory, shelf } = this.options;
    if (mode === 'mirror') return shelf.state(component).version;
    const found = await directory.find(component);
    return found === undefined ? undefined : String(found.version);
  }

  async install(installation: Installation): Promise<void> {
    const { mode, library } = this.options;
    const { component, version } = installation;
    await library.serve(component, version);
    if (mode === 'mirror') return;
    const installed = await this.installed(component);
    const isBack = installed !== undefined && compareVersions(version, installed) < 0;
    if (mode === 'place' || isBack) await this.place(installation);
    else await this.runFreshclam(installation);
  }

  private async runFreshclam({ component, version, before }: Installation): Promise<void> {
    const { directory, freshclam } = this.options;
    if (before !== undefined) await directory.keep(component, before.directory);
    await freshclam.run();
    const installed = await this.installed(component);
    if (installed !== undefined && compareVersions(installed, version) >= 0) {
      return directory.announce(component, installed);
    }
    throw new CodedError('E_FRESHCLAM_BEHIND', `freshclam left ${component} at ${installed}`, {
      expected: `version ${version}`,
      action: 'look at its log; the next check runs it again',
    });
  }

  /** Without freshclam, and on the way back, which freshclam never goes. */
  private async place({ component, version, directory }: Installation): Promise<void> {
    for (const name of ['kept.cld', 'kept.cvd']) {
      const path = join(directory, name);
      const isThere = await readFile(path).then(
        () => true,
        () => false,
      );
      if (isThere) return this.options.directory.place(component, path, version);
    }
    const path = await this.options.library.database(component, Number(version));
    if (path === undefined) {
      throw new CodedError('E_CLAMAV_ABSENT', `${component} ${version} is nowhere to be had`, {
        action: 'the next check tries again',
      });
    }
    await this.options.directory.place(component, path, version);
  }

  private async release(database: string, header: DatabaseHeader): Promise<Release> {
    demandSignedHeader(header, this.options.keys);
    this.headers.set(database, header);
    const here = Number((await this.installed(database)) ?? 0);
    if (here === header.version) this.options.library.introduce(database, header);
    const files = this.way(database, here, header.version);
    const { version, builtAtMs } = header;
    return { component: database, version: String(version), files, builtAtMs };
  }

  /** The files from the version that is here to this one. */
  private way(database: string, here: number, version: number): ReleaseFile[] {
    const { mode, source } = this.options;
    const steps = version - here;
    if (mode === 'place' || here === 0 || steps < 1 || steps > MAX_DIFFERENCES) {
      return [this.whole(database, version)];
    }
    const files: ReleaseFile[] = [];
    for (let number = here + 1; number <= version; number += 1) {
      const url = source.differenceUrl(database, number);
      if (url === undefined) return [this.whole(database, version)];
      const name = `${database}-${number}.cdiff`;
      files.push({ name, url, isVersioned: true, sizeMaxBytes: MAX_DIFFERENCE_BYTES });
    }
    return files;
  }

  private whole(database: string, version: number): ReleaseFile {
    const url = this.options.source.databaseUrl(database, version);
    return { name: `${database}.cvd`, url, isVersioned: true, sizeMaxBytes: MAX_DATABASE_BYTES };
  }
}

/** The header that news carries in parts. */
function headerOf(details: Readonly<Record<string, string>>): string {
  let text = '';
  for (let at = 0; details[`header-${at}`] !== undefined; at += 1) text += details[`header-${at}`];
  return text;
}
