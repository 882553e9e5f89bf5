/**
 * One source of addresses as the update agent sees it.
 *
 *   provider: origin ─► digest ─► judge ─► share ─► release ─┐
 *   others:   news ─────────────────────────────► release ─┴► retrieve ─► verify ─► install
 *
 * Every node judges for itself: that the provider took a list does not make it right, and what may
 * not be blocked differs from machine to machine. `install` is the enforcer's change; it throws
 * with the list before in force.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Feed, Installation, News, Release, Retrieved, Shelf } from '@peerage/update-agent';
import type { SourceList } from './compile.js';
import type { Enforcer } from './enforcer.js';
import type { Guard } from './guards.js';
import type { ParsedList } from './lists/list.js';
import { parseList } from './lists/parse.js';
import { merged } from './merge.js';
import { type Origin, sha256 } from './origin.js';
import { judgeList } from './policy.js';
import { demandTrust, type SourceSettings } from './settings.js';
import { sealed, unsealed, verifySigned } from './signature.js';

const FILE = 'list';
/** Digits of the digest in a version. */
const DIGEST_DIGITS = 12;

export interface ListFeedPorts {
  readonly origin: Origin;
  readonly shelf: Shelf;
  readonly enforcer: Pick<Enforcer, 'list' | 'put'>;
  readonly guards: () => Promise<readonly Guard[]>;
  readonly now: () => number;
  /** What other nodes told last. */
  readonly news: () => readonly News[];
}

/** How far a clock of the group, or a version counted up within a second, may be ahead, in milliseconds. */
const STAMP_AHEAD_MS = 86_400_000;

export class ListFeed implements Feed {
  readonly name: string;
  private readonly source: SourceSettings;
  private readonly ports: ListFeedPorts;
  /** The last list that was read, so that the same bytes are not read twice. */
  private read: { readonly digest: string; readonly list: ParsedList } | undefined;
  private offer: Release | undefined;
  private askedAtMs = 0;

  constructor(source: SourceSettings, ports: ListFeedPorts) {
    this.name = source.name;
    this.source = source;
    this.ports = ports;
  }

  async poll(signal: AbortSignal): Promise<readonly Release[]> {
    demandTrust(this.source);
    const { origin } = this.ports;
    if (!(await origin.mayAsk())) return this.standing();
    await origin.asking();
    return [await this.released(await this.fetched(signal))];
  }

  async learn(news: readonly News[]): Promise<readonly Release[]> {
    demandTrust(this.source);
    const told = news.find(({ component }) => component === this.name);
    if (told === undefined) return [];
    const { digest = '', size = '', asked = '' } = told.details;
    if (!/^[0-9a-f]{64}$/.test(digest) || !/^\d{1,9}$/.test(size)) return [];
    if (!isStamped(told.version, this.ports.now())) return [];
    if (/^\d{1,15}$/.test(asked)) await this.ports.origin.heard(Number(asked));
    const file = { name: FILE, url: this.uri(digest), sha256: digest, sizeBytes: Number(size) };
    return [{ component: this.name, version: told.version, files: [file] }];
  }

  details(release: Release, files: readonly Retrieved[]): Record<string, string> {
    const [file] = release.files;
    const [retrieved] = files;
    const digest = file?.sha256 ?? retrieved?.sha256 ?? '';
    const size = String(file?.sizeBytes ?? retrieved?.sizeBytes ?? 0);
    return { digest, size, asked: String(Math.floor(this.askedAtMs)) };
  }

  async verify(_release: Release, directory: string): Promise<void> {
    await this.judge(this.parse(await readFile(join(directory, FILE))));
  }

  async install({ directory }: Installation): Promise<void> {
    await this.ports.enforcer.put(this.name, await this.listIn(directory));
  }

  /** The list of a version that is here. */
  async listIn(directory: string): Promise<SourceList> {
    const { entries, madeAtSeconds } = this.parse(await readFile(join(directory, FILE)));
    return {
      source: this.name,
      entries,
      ...(madeAtSeconds === undefined ? {} : { madeAtSeconds }),
    };
  }

  /** What is newest, judged, for a look at what it would change; nothing is kept of it. */
  async candidate(): Promise<SourceList> {
    const [told] = await this.learn(this.ports.news());
    const [file] = told?.files ?? [];
    const { origin } = this.ports;
    const bytes =
      file === undefined && (await origin.mayAsk())
        ? await origin.asking().then(() => this.fetched())
        : await origin.known(file ?? { url: this.source.url });
    const { entries } = await this.judged(bytes);
    return { source: this.name, entries };
  }

  /** Judges a list, without a signature, as if it were this source's. @throws CodedError */
  async tried(bytes: Uint8Array): Promise<SourceList> {
    const list = parseList(this.name, bytes, this.source);
    await this.judge(list);
    return { source: this.name, entries: list.entries };
  }

  /** What the publisher wants to travel with the data, of the list read last. */
  get attribution(): readonly string[] {
    return this.read?.list.attribution ?? [];
  }

  /** The origin's list; with the signature before it, in the same bytes, where it has one. */
  private async fetched(signal?: AbortSignal): Promise<Uint8Array> {
    const { origin } = this.ports;
    const { url, minisignKey } = this.source;
    const how = signal === undefined ? {} : { signal };
    const list = await origin.fetch(url, how);
    if (minisignKey === undefined) return list;
    return sealed(await origin.fetch(`${url}.minisig`, how), list);
  }

  private async judged(bytes: Uint8Array): Promise<ParsedList> {
    const list = this.parse(bytes);
    await this.judge(list);
    return list;
  }

  private async released(bytes: Uint8Array): Promise<Release> {
    this.askedAtMs = await this.ports.origin.lastAskedMs();
    const digest = sha256(bytes);
    const { shelf, origin, now } = this.ports;
    const ending = `-${digest.slice(0, DIGEST_DIGITS)}`;
    const { version: inForce, newest } = shelf.state(this.name);
    const known = [newest, inForce].find((version) => version?.endsWith(ending));
    if (known === undefined) await this.judged(bytes);
    const file = { name: FILE, url: await origin.share(bytes), sha256: digest };
    const version = known ?? `${stampAfter(newest, now())}${ending}`;
    this.offer = {
      component: this.name,
      version,
      files: [{ ...file, sizeBytes: bytes.length }],
    };
    return this.offer;
  }

  /** What was offered last: it is too early to ask again. */
  private async standing(): Promise<readonly Release[]> {
    if (this.offer !== undefined) return [this.offer];
    const { newest, version = newest } = this.ports.shelf.state(this.name);
    if (version === undefined) return this.learn(this.ports.news());
    const bytes = await readFile(this.ports.shelf.path(this.name, version, FILE));
    return [await this.released(bytes)];
  }

  private async judge(list: ParsedList): Promise<void> {
    const guards = merged(await this.ports.guards());
    judgeList(this.name, list, this.source, guards, this.ports.enforcer.list(this.name));
  }

  private parse(bytes: Uint8Array): ParsedList {
    const digest = sha256(bytes);
    if (this.read?.digest === digest) return this.read.list;
    const { minisignKey } = this.source;
    if (minisignKey === undefined) {
      this.read = { digest, list: parseList(this.name, bytes, this.source) };
      return this.read.list;
    }
    const { signature, list } = unsealed(bytes);
    const signed = verifySigned(this.name, list, signature, minisignKey);
    this.read = { digest, list: { ...parseList(this.name, list, this.source), ...signed } };
    return this.read.list;
  }

  private uri(digest: string): string {
    return `firewall:${this.name}/${digest}`;
  }
}

/** A time as the beginning of a version, later than that of any before: 20261122223015. */
export function stampAfter(newest: string | undefined, nowMs: number): string {
  const stamp = Number(new Date(nowMs).toISOString().replace(/\D/g, '').slice(0, 14));
  // The clock of a node that becomes provider may be behind that of the one before.
  return String(Math.max(stamp, Number(newest?.slice(0, 14) ?? 0) + 1));
}

/** Whether a version told by another node is of a time that has been: a later one would bar all others. */
export function isStamped(version: string, nowMs: number): boolean {
  const [, stamp = ''] = /^(\d{14})-[0-9a-f]{12,32}$/.exec(version) ?? [];
  return stamp !== '' && stamp <= stampAfter(undefined, nowMs + STAMP_AHEAD_MS);
}
