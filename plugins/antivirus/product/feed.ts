/**
 * A product feed of the update agent: a catalogue and its files, vouched for by TUF.
 *
 * Every file is known by its digest before it is asked for, so any peer may have it. What it takes
 * to put a version in force is the admin's: files placed in a directory, all or none, and a program
 * of the admin's run after that, whose failure puts the old files back.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CodedError,
  errorCode,
  type Log,
  type PeeringService,
  type ProgramService,
} from '@peerage/sdk';
import {
  type Feed,
  type Installation,
  type Move,
  type News,
  type Placement,
  placeFiles,
  type Recall,
  type Release,
  type ReleaseFile,
  realDisk,
  recoverPlacement,
  type Shelf,
} from '@peerage/update-agent';
import type { ProductSettings } from '../settings.js';
import {
  CATALOGUE_NAME,
  type Catalogue,
  MAX_CATALOGUE_BYTES,
  parseCatalogue,
  targetOf,
} from './catalogue.js';
import { FeedMetadata, type Seen } from './metadata.js';

/** Time for the admin's program, in milliseconds. */
const INSTALL_TIMEOUT_MS = 30 * 60_000;
/** Bytes of one file of a product; the largest known is 300 MB. */
const MAX_FILE_BYTES = 512 * 1024 * 1024;

export interface ProductPorts {
  readonly directory: string;
  readonly shelf: Shelf;
  readonly peering: Pick<PeeringService, 'open' | 'publish'>;
  readonly programs: Pick<ProgramService, 'run'>;
  readonly log: Log;
}

export class ProductFeed implements Feed {
  readonly name: string;
  private readonly settings: ProductSettings;
  private readonly ports: ProductPorts;
  private readonly metadata: FeedMetadata;
  private catalogue: Catalogue = { components: [], recalls: [] };

  constructor(settings: ProductSettings, ports: ProductPorts) {
    this.name = settings.name;
    this.settings = settings;
    this.ports = ports;
    const { url, root } = settings;
    const directory = join(ports.directory, 'metadata');
    this.metadata = new FeedMetadata({ directory, url, root, peering: ports.peering });
  }

  /** Puts back what a sudden end has left between old and new. */
  async recover(): Promise<void> {
    await realDisk.makeDirectory(join(this.ports.directory, 'metadata'));
    await recoverPlacement(this.journal);
  }

  /** What the publisher itself has recalled, signed like everything else. */
  get recalls(): readonly Recall[] {
    return this.catalogue.recalls;
  }

  async poll(): Promise<readonly Release[]> {
    await this.metadata.poll();
    return this.releases();
  }

  async learn(news: readonly News[]): Promise<readonly Release[]> {
    let refused: unknown;
    for (const seen of newestFirst(news)) {
      try {
        await this.metadata.learn(seen);
        return await this.releases();
      } catch (error) {
        // Somebody may have told of what there is not: the others are heard, too.
        refused ??= error;
      }
    }
    if (refused !== undefined) throw refused;
    return [];
  }

  details(): Record<string, string> {
    const { root = 0, timestamp = 0, timestampSha256 = '' } = this.metadata.seen ?? {};
    return { root: String(root), timestamp: String(timestamp), sha256: timestampSha256 };
  }

  /** The digests that files are retrieved by stand in signed metadata; there is nothing to add. */
  async verify(): Promise<void> {}

  async installed(component: string): Promise<string | undefined> {
    const { version } = this.ports.shelf.state(component);
    const how = this.catalogue.components.find(({ name }) => name === component)?.installed;
    if (how === undefined || how.by === 'reported' || this.settings.directory === '')
      return version;
    if (how.by === 'file') {
      const path = join(this.settings.directory, how.name);
      const text = await readFile(path, 'utf8').catch(() => undefined);
      return text?.split(/\r?\n/)[0]?.trim() || undefined;
    }
    const ended = await this.ports.programs.run('installed', { component });
    return ended.exitCode === 0 ? ended.stdout.trim() || undefined : undefined;
  }

  async install(installation: Installation): Promise<void> {
    const placement = await this.place(installation);
    try {
      if (this.settings.isRunning) await this.runInstaller(installation);
    } catch (error) {
      await placement?.revert();
      throw error;
    }
    await placement?.commit();
  }

  private async place({ directory, before }: Installation): Promise<Placement | undefined> {
    const to = this.settings.directory;
    if (to === '') return undefined;
    const fresh = await realDisk.list(directory);
    const old = before === undefined ? [] : await realDisk.list(before.directory);
    const moves: Move[] = fresh.map((name) => ({
      from: join(directory, name),
      to: join(to, name),
    }));
    const gone = old.filter((name) => !fresh.includes(name));
    const all = [...moves, ...gone.map((name) => ({ to: join(to, name) }))];
    return placeFiles(all, this.journal).catch((cause: unknown) => {
      if (errorCode(cause) !== 'ERR_ACCESS_DENIED') throw cause;
      throw new CodedError('E_PRODUCT_DIRECTORY', `the plugin may not write into ${to}`, {
        expected: 'a directory below one that `grant.writePaths` of antivirus names',
        action: 'let `grant.writePaths` name /opt or /srv, and `directory` be below it',
        cause,
      });
    });
  }

  /** @throws CodedError `E_PRODUCT_INSTALL`, `E_PROGRAM_*` */
  private async runInstaller({ component, version, directory }: Installation): Promise<void> {
    const values = { component, version, directory };
    const timeoutMs = INSTALL_TIMEOUT_MS;
    const ended = await this.ports.programs.run('installer', values, { timeoutMs });
    if (ended.exitCode === 0) return;
    const said = `${ended.stderr}\n${ended.stdout}`.trim().slice(-300);
    throw new CodedError(
      'E_PRODUCT_INSTALL',
      `the installer ended with ${ended.exitCode}: ${said}`,
      {
        expected: 'exit code 0',
        action: 'look at what it said; the files of the old version were put back',
      },
    );
  }

  private async releases(): Promise<readonly Release[]> {
    this.catalogue = parseCatalogue(await this.retrieveCatalogue());
    const releases: Release[] = [];
    for (const { name, version, builtAtMs, files } of this.catalogue.components) {
      const found: ReleaseFile[] = [];
      for (const file of files) found.push(await this.file(targetOf(name, version, file), file));
      releases.push({ component: name, version, builtAtMs, files: found });
    }
    return releases;
  }

  private async file(target: string, name: string): Promise<ReleaseFile> {
    const { length, hashes } = await this.metadata.target(target);
    const sha256 = hashes['sha256'];
    if (sha256 === undefined) {
      throw new CodedError('E_FEED_TARGET', `${target} has no SHA-256 in the metadata`, {
        expected: 'a SHA-256 for every target',
        action: 'publish with it',
      });
    }
    const path = target.split('/');
    path[path.length - 1] = `${sha256}.${path.at(-1)}`;
    const url = `${this.settings.url}targets/${path.join('/')}`;
    return { name, url, sizeBytes: length, sizeMaxBytes: MAX_FILE_BYTES, sha256 };
  }

  private async retrieveCatalogue(): Promise<Buffer> {
    const { url, sizeBytes = 0, sha256 = '' } = await this.file(CATALOGUE_NAME, CATALOGUE_NAME);
    if (sizeBytes > MAX_CATALOGUE_BYTES) {
      throw new CodedError('E_FEED_CATALOGUE', `a catalogue of ${sizeBytes} bytes`, {
        expected: `at most ${MAX_CATALOGUE_BYTES} bytes`,
      });
    }
    const digest = { algorithm: 'sha256', hex: sha256 } as const;
    const policy = { digest, immutable: true, clientVerifies: true };
    const { body } = await this.ports.peering.open({ url, policy });
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  private get journal(): string {
    return join(this.ports.directory, 'placement.json');
  }
}

/** Timestamps that are tried of one round of news: each costs a search. */
const MAX_TOLD = 8;

/** The timestamps that news tells of, the newest first, each once. */
function newestFirst(news: readonly News[]): Seen[] {
  const seen = news.flatMap(({ details }) => {
    const { root = '', timestamp = '', sha256 = '' } = details;
    const isSound = [root, timestamp].every((text) => /^[1-9][0-9]{0,8}$/.test(text));
    if (!isSound || !/^[0-9a-f]{64}$/.test(sha256)) return [];
    return [{ root: Number(root), timestamp: Number(timestamp), timestampSha256: sha256 }];
  });
  const each = new Map(seen.map((one) => [JSON.stringify(one), one]));
  return [...each.values()].sort((a, b) => b.timestamp - a.timestamp).slice(0, MAX_TOLD);
}
