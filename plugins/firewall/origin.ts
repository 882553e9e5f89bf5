/**
 * Asks the origin of a source, and shares what came with the nodes of the LAN.
 *
 * Manners: an origin is not asked again before the least interval of its format is over, whoever
 * asked last and however often this process was started since; the time is kept on the disk and
 * told with the news. What came is published under a URI that names one version for ever, so that
 * others take it from here, by its digest, also where the origin has no TLS.
 */
import { createHash } from 'node:crypto';
import { CodedError, type PeeringService, type ResourceRequest, type Storage } from '@peerage/sdk';
import type { ReleaseFile } from '@peerage/update-agent';
import { MAX_LIST_BYTES } from './limits.js';

/** How long others may take a version from us, in milliseconds. */
const SHARED_MS = 30 * 24 * 3_600_000;

export interface OriginPorts {
  readonly peering: Pick<PeeringService, 'open' | 'publish'>;
  readonly storage: Pick<Storage, 'get' | 'set'>;
  readonly now: () => number;
}

export class Origin {
  private readonly source: string;
  private readonly leastMs: number;
  private readonly ports: OriginPorts;
  private askedAtMs: number | undefined;
  /** When another node said that it asked. */
  private heardAtMs = 0;
  /** Since when others' questions have put off ours. */
  private deferredSinceMs: number | undefined;

  constructor(source: string, leastMs: number, ports: OriginPorts) {
    this.source = source;
    this.leastMs = leastMs;
    this.ports = ports;
  }

  /** When this node asked the origin last. */
  async lastAskedMs(): Promise<number> {
    if (this.askedAtMs === undefined) {
      const kept = await this.ports.storage.get(this.key);
      this.askedAtMs = typeof kept === 'number' ? kept : 0;
    }
    return this.askedAtMs;
  }

  /** Another node has asked. */
  async heard(atMs: number): Promise<void> {
    if (atMs <= this.ports.now()) this.heardAtMs = Math.max(this.heardAtMs, atMs);
  }

  /** Others' questions put ours off by one interval at most: a member must not silence a list. */
  async mayAsk(): Promise<boolean> {
    const now = this.ports.now();
    if (now - (await this.lastAskedMs()) < this.leastMs) return false;
    if (now - this.heardAtMs >= this.leastMs) return true;
    this.deferredSinceMs ??= now;
    return now - this.deferredSinceMs >= this.leastMs;
  }

  /** Notes that the origin is being asked now. */
  async asking(): Promise<void> {
    this.askedAtMs = this.ports.now();
    this.deferredSinceMs = undefined;
    await this.ports.storage.set(this.key, this.askedAtMs);
  }

  /** The bytes at a URL, asked of the origin if what is here may have changed. */
  fetch(url: string, more: Pick<ResourceRequest, 'policy' | 'signal'> = {}): Promise<Uint8Array> {
    return this.read({ url, headers: { 'cache-control': 'no-cache' }, ...more });
  }

  /** Bytes that are on the LAN already: by their digest, where it was told. */
  known({ url, sha256: hex }: Pick<ReleaseFile, 'url' | 'sha256'>): Promise<Uint8Array> {
    if (hex === undefined) return this.read({ url });
    return this.read({ url, policy: { digest: { algorithm: 'sha256', hex } } });
  }

  /** Shares bytes under the URI of their digest. */
  async share(bytes: Uint8Array): Promise<string> {
    const uri = `firewall:${this.source}/${sha256(bytes)}`;
    await this.ports.peering.publish({ uri, body: bytes, lifetimeMs: SHARED_MS });
    return uri;
  }

  private async read(request: ResourceRequest): Promise<Uint8Array> {
    const { status, body } = await this.ports.peering.open(request);
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of body) {
      sizeBytes += chunk.length;
      if (sizeBytes > MAX_LIST_BYTES) throw this.unusable(`has more than ${MAX_LIST_BYTES} bytes`);
      chunks.push(chunk);
    }
    if (status !== 200) throw this.unusable(`was answered with status ${status}`);
    return Buffer.concat(chunks);
  }

  private unusable(why: string): CodedError {
    return new CodedError('E_LIST_INVALID', `${this.source}: ${why}`, {
      expected: 'a list of its format',
      action: 'look at what the URL serves; what was in force stays in force',
    });
  }

  private get key(): string {
    return `asked-${this.source}`;
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
