/**
 * A source of Suricata rules as the update agent sees it: an archive, and beside it its MD5.
 *
 * Nobody signs these archives and suricata-update does not even hold them against their checksum.
 * Here archive and checksum are one version: asked for together, held against each other, shared
 * together, or refused together. The checksum is asked for first; while it is the one in force
 * nothing else is fetched.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Feed, Installation, News, Release, ReleaseFile, Shelf } from '@peerage/update-agent';
import { MAX_ARCHIVE_BYTES } from '../limits.js';
import { isStamped, stampAfter } from '../list-feed.js';
import { type Origin, sha256 } from '../origin.js';
import { demandTrust, type SourceSettings } from '../settings.js';
import { damaged, readArchive } from './archive.js';
import { joinRules, type RuleFile } from './rules.js';
import type { SuricataTarget } from './target.js';

const ARCHIVE = 'rules.tar.gz';
const CHECKSUM = 'rules.tar.gz.md5';

export interface SuricataFeedPorts {
  readonly origin: Origin;
  readonly shelf: Shelf;
  readonly target: SuricataTarget;
  readonly minRules: number;
  readonly now: () => number;
}

export class SuricataFeed implements Feed {
  readonly name: string;
  private readonly source: SourceSettings;
  private readonly ports: SuricataFeedPorts;
  private offer: Release | undefined;
  private askedAtMs = 0;

  constructor(source: SourceSettings, ports: SuricataFeedPorts) {
    this.name = source.name;
    this.source = source;
    this.ports = ports;
  }

  async poll(signal: AbortSignal): Promise<readonly Release[]> {
    demandTrust(this.source);
    const { origin, shelf } = this.ports;
    if (!(await origin.mayAsk())) return this.offer === undefined ? [] : [this.offer];
    await origin.asking();
    this.askedAtMs = await origin.lastAskedMs();
    const checksum = await origin.fetch(`${this.source.url}.md5`, { signal });
    const md5 = this.md5In(checksum);
    if (this.offer?.version.endsWith(md5) === true) return [this.offer];
    const policy = { digest: { algorithm: 'md5' as const, hex: md5 } };
    const archive = await origin.fetch(this.source.url, { policy, signal });
    this.rulesOf(archive, md5);
    const { newest } = shelf.state(this.name);
    const stamp = stampAfter(newest, this.ports.now());
    const version = newest?.endsWith(md5) === true ? newest : `${stamp}-${md5}`;
    const files = [await this.shared(ARCHIVE, archive), await this.shared(CHECKSUM, checksum)];
    this.offer = { component: this.name, version, files };
    return [this.offer];
  }

  async learn(news: readonly News[]): Promise<readonly Release[]> {
    demandTrust(this.source);
    const told = news.find(({ component }) => component === this.name);
    const { archive = '', checksum = '', size = '', asked = '' } = told?.details ?? {};
    const isDigest = [archive, checksum].every((digest) => /^[0-9a-f]{64}$/.test(digest));
    if (told === undefined || !isDigest || !/^\d{1,9}$/.test(size)) return [];
    if (!isStamped(told.version, this.ports.now())) return [];
    if (/^\d{1,15}$/.test(asked)) await this.ports.origin.heard(Number(asked));
    const file = (name: string, digest: string): ReleaseFile => ({
      name,
      url: `firewall:${this.name}/${digest}`,
      sha256: digest,
      sizeMaxBytes: MAX_ARCHIVE_BYTES,
    });
    const files = [
      { ...file(ARCHIVE, archive), sizeBytes: Number(size) },
      file(CHECKSUM, checksum),
    ];
    return [{ component: this.name, version: told.version, files }];
  }

  details({ files }: Release): Record<string, string> {
    const [archive, checksum] = files;
    return {
      archive: archive?.sha256 ?? '',
      checksum: checksum?.sha256 ?? '',
      size: String(archive?.sizeBytes ?? 0),
      asked: String(this.askedAtMs),
    };
  }

  async verify(_release: Release, directory: string): Promise<void> {
    await this.rulesIn(directory);
  }

  async install({ directory }: Installation): Promise<void> {
    await this.ports.target.put((await this.rulesIn(directory)).text);
  }

  private async rulesIn(directory: string): Promise<RuleFile> {
    const md5 = this.md5In(await readFile(join(directory, CHECKSUM)));
    return this.rulesOf(await readFile(join(directory, ARCHIVE)), md5);
  }

  private rulesOf(archive: Uint8Array, md5: string): RuleFile {
    const found = createHash('md5').update(archive).digest('hex');
    if (found !== md5) throw damaged(this.name, `its MD5 is ${found}, beside it stands ${md5}`);
    return joinRules(this.name, readArchive(this.name, archive), this.ports.minRules);
  }

  private md5In(bytes: Uint8Array): string {
    const md5 = /^\s*([0-9a-f]{32})\b/i.exec(Buffer.from(bytes).toString('latin1', 0, 200))?.[1];
    if (md5 !== undefined) return md5.toLowerCase();
    throw damaged(this.name, 'what is beside it is not an MD5');
  }

  private async shared(name: string, bytes: Uint8Array): Promise<ReleaseFile> {
    const url = await this.ports.origin.share(bytes);
    return { name, url, sha256: sha256(bytes), sizeBytes: bytes.length };
  }
}
