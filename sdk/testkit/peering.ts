/** `PeeringService` over the LAN in memory: own store, else a node that is reached, else the origin. */
import { createHash } from 'node:crypto';
import {
  type Announcement,
  CodedError,
  type Disposable,
  type FoundResource,
  type OriginRoute,
  PeeringService,
  type Publication,
  type Published,
  type ResourceRequest,
  type ResourceResponse,
  type ResourceSource,
  type UploadRequest,
  type UploadResponse,
} from '@peerage/sdk';
import type { StoredCopy } from './node.js';
import { Listeners, type TestPlugin } from './plugin.js';

export class TestPeering extends PeeringService {
  readonly heard = new Listeners<Announcement>();
  private readonly plugin: TestPlugin;

  constructor(plugin: TestPlugin) {
    super();
    this.plugin = plugin;
  }

  override async open(request: ResourceRequest): Promise<ResourceResponse> {
    const url = normal(request.url);
    this.plugin.grant.demand(url, 'urls', 'publishes');
    if (request.signal?.aborted === true) throw new CodedError('E_CANCELLED', 'it was cancelled');
    const { copy, source, from } = this.get(url, request);
    const { digest } = request.policy ?? {};
    if (digest !== undefined) {
      const found = createHash(digest.algorithm).update(copy.body).digest('hex');
      if (found !== digest.hex) throw new CodedError('E_DIGEST_MISMATCH', `${url}: other bytes`);
    }
    const { startByte = 0, lengthBytes = copy.body.length } = request;
    const wanted =
      request.method === 'HEAD'
        ? Buffer.alloc(0)
        : copy.body.subarray(startByte, startByte + lengthBytes);
    const progress = { bytesPerSecond: 0, from, waiting: false };
    const { length: totalBytes } = copy.body;
    request.onProgress?.({ ...progress, receivedBytes: totalBytes, totalBytes });
    const { status, headers, sha256 } = copy;
    return { status, headers, source, sizeBytes: totalBytes, sha256, body: chunks(wanted) };
  }

  override async find(
    request: Pick<ResourceRequest, 'url' | 'headers'>,
  ): Promise<FoundResource | undefined> {
    const url = normal(request.url);
    this.plugin.grant.demand(url, 'urls', 'publishes');
    const { node } = this.plugin;
    const own = node.fresh(url);
    const peer = node.lan.reachable(node.name).find((other) => other.fresh(url) !== undefined);
    const copy = own ?? peer?.fresh(url);
    if (copy === undefined) return undefined;
    const about = { sizeBytes: copy.body.length, sha256: copy.sha256 };
    if (own !== undefined) return { where: 'own', node: node.name, ...about };
    return { where: 'peer', node: peer?.name ?? '', ...about };
  }

  override async publish({ uri, body, lifetimeMs, contentType }: Publication): Promise<Published> {
    const url = normal(uri);
    this.plugin.grant.demand(url, 'publishes');
    const parts: Uint8Array[] = [];
    for await (const chunk of body instanceof Uint8Array ? [body] : body) parts.push(chunk);
    const headers = contentType === undefined ? [] : ([['content-type', contentType]] as const);
    const copy = this.keep(url, Buffer.concat(parts), 200, headers, lifetimeMs);
    return { sha256: copy.sha256, sizeBytes: copy.body.length };
  }

  override async upload({ url, method, body }: UploadRequest): Promise<UploadResponse> {
    const href = normal(url);
    this.plugin.grant.demand(href, 'uploads');
    if (body.length > 1024 * 1024) throw new CodedError('E_UPLOAD_TOO_LARGE', 'over 1 MiB');
    const { node } = this.plugin;
    if (!node.internet) throw new CodedError('E_NO_INTERNET', `${node.name} has no Internet`);
    const answer = node.lan.origin.answer({ node: node.name, method, url: href, body });
    return { status: answer.status, headers: Object.entries(answer.headers), body: answer.body };
  }

  override async announce(name: string, values: Readonly<Record<string, string>>): Promise<void> {
    const isProper = Object.values(values).every((value) => value.length <= 200);
    if (!isProper || Object.keys(values).length > 8) {
      throw new CodedError('E_ANNOUNCEMENT_INVALID', `${name} does not fit a packet`);
    }
    const { node, manifest } = this.plugin;
    for (const other of node.lan.reachable(node.name)) {
      other.hear({ service: manifest.id, name, values }, node.name);
    }
  }

  override async onAnnouncement(listener: (heard: Announcement) => void): Promise<Disposable> {
    return this.heard.add(listener);
  }

  override async route(host: string, port: number): Promise<OriginRoute> {
    const usual = port === 443 || port === 80 ? '' : `:${port}`;
    this.plugin.grant.demand(`${port === 443 ? 'https' : 'http'}://${host}${usual}/`, 'urls');
    throw new CodedError('E_ORIGIN_UNREACHABLE', `${host}: there is no network in a test`);
  }

  private get(
    url: string,
    { method = 'GET', policy = {} }: ResourceRequest,
  ): { copy: StoredCopy; source: ResourceSource; from: string } {
    const { node } = this.plugin;
    const isShared = policy.unshared !== true;
    const own = isShared ? node.fresh(url) : undefined;
    if (own !== undefined) return { copy: own, source: 'hit', from: node.name };
    // As on a real LAN: what comes without TLS is shared only where somebody verifies it.
    const isVerified = policy.digest !== undefined || policy.clientVerifies === true;
    const isGiven = isShared && (!url.startsWith('http:') || isVerified);
    const peers = isGiven ? node.lan.reachable(node.name) : [];
    const peer = peers.find((other) => other.fresh(url) !== undefined);
    const copy = peer?.fresh(url);
    if (peer !== undefined && copy !== undefined) {
      node.store.set(url, copy);
      return { copy, source: 'peer', from: peer.name };
    }
    if (!/^https?:/.test(url)) throw new CodedError('E_NOT_PUBLISHED', `${url}: nobody has it`);
    if (!node.internet) throw new CodedError('E_NO_INTERNET', `${node.name} has no Internet`);
    const body = new Uint8Array();
    const answer = node.lan.origin.answer({ node: node.name, method, url, body });
    const isKept = isShared && answer.status === 200 && method === 'GET';
    const headers = Object.entries(answer.headers);
    const kept = copyOf(
      answer.body,
      answer.status,
      headers,
      node.lan.clock.wallMs() + answer.lifetimeMs,
    );
    if (isKept) node.store.set(url, kept);
    return { copy: kept, source: 'origin', from: 'origin' };
  }

  private keep(
    url: string,
    body: Uint8Array,
    status: number,
    headers: StoredCopy['headers'],
    lifetimeMs: number,
  ): StoredCopy {
    const { node } = this.plugin;
    const copy = copyOf(body, status, headers, node.lan.clock.wallMs() + lifetimeMs);
    node.store.set(url, copy);
    return copy;
  }
}

function copyOf(
  body: Uint8Array,
  status: number,
  headers: StoredCopy['headers'],
  expiresAtMs: number,
): StoredCopy {
  const sha256 = createHash('sha256').update(body).digest('hex');
  return { body, status, headers, sha256, expiresAtMs };
}

function normal(text: string): string {
  try {
    const url = new URL(text);
    url.hash = '';
    return url.href;
  } catch {
    throw new CodedError('E_URL_INVALID', `${text} is no URL`);
  }
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
