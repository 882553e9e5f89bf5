/**
 * The files of a release, each by its own transaction, verified together, kept.
 *
 * A poller takes what no digest vouches for from the origin alone, verifies it, and only then
 * shares it under the same URL; what a digest vouches for, and everything that a listener takes,
 * goes through the LAN. Where what the LAN gave is found bad, it is asked of the origin once.
 * Invariant: a version is kept only after `verify` of its feed has passed all its files.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { errorCode } from '@peerage/sdk';
import type { Disk } from './disk.js';
import type { AgentPorts, Feed } from './feed.js';
import type { Release, ReleaseFile } from './release.js';
import { type Retrieved, retrieve } from './retrieve.js';

/** Files of one release that are asked for at the same time. */
const PARALLEL_FILES = 4;

/** How long peers may give out what we share: the URL names one version for ever. */
const SHARED_MS = 365 * 24 * 3_600_000;

/** What says that a source gave something bad, so that another one is worth a try. */
const BAD_CONTENT = /^E_(UPDATE_(SIZE|DIGEST|PORTAL)|DIGEST_MISMATCH|CVD_|CDIFF_|FEED_)/;

export class Stager {
  private readonly files = new Map<string, { version: string; files: readonly Retrieved[] }>();
  private readonly feed: Feed;
  private readonly ports: AgentPorts;
  private readonly disk: Disk;
  private readonly signal: AbortSignal;

  constructor(feed: Feed, ports: AgentPorts, disk: Disk, signal: AbortSignal) {
    this.feed = feed;
    this.ports = ports;
    this.disk = disk;
    this.signal = signal;
  }

  /** What is known of the files of a version that is kept here. */
  async known(release: Release): Promise<readonly Retrieved[] | undefined> {
    const { component, version } = release;
    const last = this.files.get(component);
    if (last?.version === version) return last.files;
    const isKept = (await this.ports.shelf.kept(component)).includes(version);
    return isKept ? this.bring(release, false) : undefined;
  }

  /** Gets a version to the shelf; nothing is asked for that is there already. */
  async bring(release: Release, isPoller: boolean): Promise<readonly Retrieved[]> {
    const { component, version } = release;
    const { shelf } = this.ports;
    const isKept = (await shelf.kept(component)).includes(version);
    const files = isKept
      ? await this.describe(release, shelf.path(component, version))
      : await this.obtain(release, isPoller);
    this.files.set(component, { version, files });
    return files;
  }

  private async obtain(release: Release, isPoller: boolean): Promise<readonly Retrieved[]> {
    try {
      return await this.attemptAnywhere(release, isPoller);
    } catch (error) {
      const other = this.feed.instead?.(release);
      if (other === undefined || this.signal.aborted) throw error;
      const { component, version } = release;
      this.ports.log.warn('another-way', { feed: this.feed.name, component, version, error });
      return this.attemptAnywhere(other, isPoller);
    }
  }

  private async attemptAnywhere(
    release: Release,
    isPoller: boolean,
  ): Promise<readonly Retrieved[]> {
    const { component, version } = release;
    const { shelf } = this.ports;
    try {
      return await this.attempt(release, isPoller);
    } catch (error) {
      await shelf.discard(component);
      if (isPoller || !BAD_CONTENT.test(errorCode(error))) throw error;
      this.ports.log.warn('bad-copy', { feed: this.feed.name, component, version, error });
      // Where the origin cannot be asked either, the first reason is the one to tell.
      return await this.attempt(release, true).catch(async (second: unknown) => {
        await shelf.discard(component);
        throw errorCode(second) === 'E_NO_INTERNET' ? error : second;
      });
    }
  }

  private async attempt(release: Release, isFirst: boolean): Promise<readonly Retrieved[]> {
    const { component, version } = release;
    const { shelf } = this.ports;
    const directory = await shelf.stage(component, version);
    const files = await this.retrieveAll(release.files, directory, isFirst);
    await this.feed.verify(release, directory);
    const kept = await shelf.keep(component, version);
    await shelf.note(component, { newest: version });
    if (isFirst) await this.share(release.files, kept);
    return files;
  }

  private async retrieveAll(
    files: readonly ReleaseFile[],
    directory: string,
    isFirst: boolean,
  ): Promise<readonly Retrieved[]> {
    const found = new Map<string, Retrieved>();
    const waiting = [...files];
    const work = async () => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        found.set(file.name, await this.retrieveOne(file, directory, isFirst));
      }
    };
    const workers = Array.from({ length: Math.min(PARALLEL_FILES, files.length) }, work);
    const outcomes = await Promise.allSettled(workers);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return files.flatMap(({ name }) => found.get(name) ?? []);
  }

  private async retrieveOne(
    file: ReleaseFile,
    directory: string,
    isFirst: boolean,
  ): Promise<Retrieved> {
    const path = join(directory, file.name);
    const staged = await this.staged(file, path);
    if (staged !== undefined) return staged;
    const { peering } = this.ports;
    // What was published on the LAN has no origin to be asked.
    const isUnshared = isFirst && file.sha256 === undefined && file.url.startsWith('http');
    return retrieve(file, path, { peering, disk: this.disk, isUnshared, signal: this.signal });
  }

  /** A file that an earlier check has brought, if it still is what is wanted. */
  private async staged(file: ReleaseFile, path: string): Promise<Retrieved | undefined> {
    const sizeBytes = await this.disk.sizeBytes(path);
    if (sizeBytes === undefined) return undefined;
    const sha256 = await this.digest(path);
    const isWanted =
      (file.sizeBytes ?? sizeBytes) === sizeBytes && (file.sha256 ?? sha256) === sha256;
    if (!isWanted) return undefined;
    return { name: file.name, url: file.url, sizeBytes, sha256, source: 'staged', elapsedMs: 0 };
  }

  private async describe(release: Release, directory: string): Promise<readonly Retrieved[]> {
    const files: Retrieved[] = [];
    for (const { name, url } of release.files) {
      const path = join(directory, name);
      const sizeBytes = await this.disk.sizeBytes(path);
      if (sizeBytes === undefined) continue;
      const sha256 = await this.digest(path);
      files.push({ name, url, sizeBytes, sha256, source: 'kept', elapsedMs: 0 });
    }
    return files;
  }

  private async digest(path: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of this.disk.stream(path)) hash.update(chunk);
    return hash.digest('hex');
  }

  /** Verified: from now on peers may have it of us. */
  private async share(files: readonly ReleaseFile[], directory: string): Promise<void> {
    const { peering, log } = this.ports;
    for (const { name, url, sha256 } of files) {
      if (sha256 !== undefined || !url.startsWith('http')) continue;
      const body = this.disk.stream(join(directory, name));
      await peering
        .publish({ uri: url, body, lifetimeMs: SHARED_MS })
        .catch((error: unknown) => log.warn('not-shared', { url, error }));
    }
  }
}
