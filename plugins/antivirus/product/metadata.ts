/**
 * The signed metadata of a feed (TUF 1.0): what is trusted, refreshed over the peering service.
 *
 *   root (shipped) ─► newer roots ─► timestamp ─► snapshot ─► targets
 *
 * tuf-js judges; here the bytes are fetched, kept and shared. The poller asks the origin for each
 * file, and shares them once all were good; the others take them from the LAN and ask for no newer
 * root than the poller has told of. Invariant: what is kept on the disk is one complete set that
 * was good, or the root of the settings; a torn file leads back to that root.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, type PeeringService, type ResourcePolicy } from '@peerage/sdk';
import { type Disk, realDisk, replaceFile } from '@peerage/update-agent';
import type { TargetFile } from '@tufjs/models';
import { type Fetcher, Updater } from 'tuf-js';
import tufErrors from 'tuf-js/dist/error.js';
import { feedError } from './feed-error.js';

const ROLES = ['root', 'timestamp', 'snapshot', 'targets'] as const;

/** Largest piece of metadata that is not told a length of, in bytes. */
const CONFIG = {
  rootMaxLength: 512_000,
  timestampMaxLength: 16_384,
  snapshotMaxLength: 2_000_000,
  targetsMaxLength: 5_000_000,
  maxRootRotations: 32,
};

/** How long peers may have metadata; a newer timestamp names newer ones long before. */
const SHARED_MS = 30 * 24 * 3_600_000;

/** What the poller has seen, so that others can find the same. */
export interface Seen {
  readonly root: number;
  readonly timestamp: number;
  readonly timestampSha256: string;
}

export interface MetadataOptions {
  readonly directory: string;
  /** The repository, with a slash at its end. */
  readonly url: string;
  /** The root that came with the settings. */
  readonly root: Readonly<Record<string, unknown>>;
  readonly peering: Pick<PeeringService, 'open' | 'publish'>;
}

export class FeedMetadata {
  private readonly options: MetadataOptions;
  private readonly disk: Disk = realDisk;
  private updater: Updater | undefined;
  private seenLast: Seen | undefined;

  constructor(options: MetadataOptions) {
    this.options = options;
  }

  get seen(): Seen | undefined {
    return this.seenLast;
  }

  /** Asks the origin; shares what was good. @throws CodedError `E_FEED_*` */
  async poll(): Promise<void> {
    const fetched = new Map<string, Buffer>();
    await this.refresh(new MetadataFetcher(this.options, undefined, fetched));
    await this.share(fetched);
  }

  /** The same from the LAN, for what another node has told of. @throws CodedError `E_FEED_*` */
  async learn(seen: Seen): Promise<void> {
    await this.refresh(new MetadataFetcher(this.options, seen, new Map()));
  }

  /** What the signed metadata says of a target. @throws CodedError `E_FEED_TARGET` */
  async target(path: string): Promise<TargetFile> {
    const target = await this.updater?.getTargetInfo(path);
    if (target !== undefined) return target;
    throw new CodedError('E_FEED_TARGET', `${path} is not among the signed files of the feed`, {
      expected: 'every file of the catalogue',
      action: 'add it at the publisher and publish again',
    });
  }

  private async refresh(fetcher: MetadataFetcher): Promise<void> {
    const work = join(this.options.directory, 'work');
    await this.prepare(work);
    try {
      const options = { metadataDir: work, metadataBaseUrl: this.base, fetcher, config: CONFIG };
      const updater = new Updater(options);
      await updater.refresh();
      await this.keep(work);
      this.updater = updater;
    } catch (error) {
      throw feedError(error);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  /** The last good set, to go on from; the shipped root if it is damaged or there is none. */
  private async prepare(work: string): Promise<void> {
    await rm(work, { recursive: true, force: true });
    await this.disk.makeDirectory(work);
    for (const role of ROLES) {
      const bytes = await this.disk.read(join(this.options.directory, `${role}.json`));
      if (bytes !== undefined && isJson(bytes)) {
        await this.disk.write(join(work, `${role}.json`), bytes);
      }
    }
    const root = join(work, 'root.json');
    if ((await this.disk.sizeBytes(root)) !== undefined) return;
    await this.disk.write(root, Buffer.from(JSON.stringify(this.options.root)));
  }

  /** Keeps a set; the timestamp last, for it is what the others hang from. */
  private async keep(work: string): Promise<void> {
    const read = async (role: string) => {
      return (await this.disk.read(join(work, `${role}.json`))) ?? Buffer.alloc(0);
    };
    for (const role of ['root', 'targets', 'snapshot', 'timestamp']) {
      await replaceFile(this.disk, join(this.options.directory, `${role}.json`), await read(role));
    }
    const timestamp = await read('timestamp');
    this.seenLast = {
      root: versionOf(await read('root')),
      timestamp: versionOf(timestamp),
      timestampSha256: createHash('sha256').update(timestamp).digest('hex'),
    };
  }

  private async share(fetched: ReadonlyMap<string, Buffer>): Promise<void> {
    for (const [name, body] of fetched) {
      const uri =
        name === 'timestamp.json' ? timestampUrl(this.base, this.seenLast) : this.base + name;
      await this.options.peering.publish({ uri, body, lifetimeMs: SHARED_MS });
    }
  }

  private get base(): string {
    return `${this.options.url}metadata/`;
  }
}

/** Gets metadata from the origin (`seen` is absent) or from the LAN. */
class MetadataFetcher implements Fetcher {
  private readonly options: MetadataOptions;
  private readonly seen: Seen | undefined;
  private readonly fetched: Map<string, Buffer>;

  constructor(options: MetadataOptions, seen: Seen | undefined, fetched: Map<string, Buffer>) {
    this.options = options;
    this.seen = seen;
    this.fetched = fetched;
  }

  async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    const name = url.slice(url.lastIndexOf('/') + 1);
    const root = /^([0-9]+)\.root\.json$/.exec(name)?.[1];
    if (this.seen !== undefined && root !== undefined && Number(root) > this.seen.root) {
      throw new tufErrors.DownloadHTTPError('the poller has told of no such root', 404);
    }
    const bytes = await this.open(this.placeOf(url, name), this.policyOf(name), maxLength);
    this.fetched.set(name, bytes);
    return bytes;
  }

  /** Targets are retrieved by the update agent, not by tuf-js. */
  downloadFile(): Promise<never> {
    throw new Error('not used');
  }

  private placeOf(url: string, name: string): string {
    return name === 'timestamp.json' && this.seen !== undefined
      ? timestampUrl(`${this.options.url}metadata/`, this.seen)
      : url;
  }

  private policyOf(name: string): ResourcePolicy {
    if (this.seen === undefined) return { unshared: true };
    if (name !== 'timestamp.json') return { clientVerifies: true };
    const digest = { algorithm: 'sha256', hex: this.seen.timestampSha256 } as const;
    return { digest, immutable: true, clientVerifies: true };
  }

  private async open(url: string, policy: ResourcePolicy, maxLength: number): Promise<Buffer> {
    const { status, body } = await this.options.peering.open({ url, policy });
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of body) {
      length += chunk.length;
      if (length > maxLength) {
        throw new tufErrors.DownloadLengthMismatchError(`more than ${maxLength} bytes of ${url}`);
      }
      chunks.push(chunk);
    }
    if (status === 200) return Buffer.concat(chunks);
    throw new tufErrors.DownloadHTTPError(`${url} was answered with ${status}`, status);
  }
}

/** The URL that names one timestamp, which its own name does not. */
function timestampUrl(base: string, seen: Seen | undefined): string {
  return `${base}timestamp.json?version=${seen?.timestamp ?? 0}`;
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString('utf8'));
    return true;
  } catch {
    return false;
  }
}

function versionOf(bytes: Buffer): number {
  const { signed } = JSON.parse(bytes.toString('utf8')) as { signed?: { version?: number } };
  return signed?.version ?? 0;
}
