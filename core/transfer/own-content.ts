/**
 * What plugins do with content besides opening it: publish bytes of their own under a URI, vouched
 * for by this node like something it had fetched; ask who has a URL without getting it; send a small
 * body to an origin. Beside the request path: nothing here starts a download.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import {
  CodedError,
  type FoundResource,
  type Published,
  type ResourceRequest,
  type UploadRequest,
  type UploadResponse,
} from '@peerage/sdk';
import type { Clock } from '../base/time.js';
import type { OwnContent, OwnPublication } from '../ports/plugins.js';
import type { ContentTransfer, LanPeering } from '../ports/ports.js';
import { type AttestationSigner, signAttestation } from '../trust/attestation.js';
import type { Identity } from '../trust/authority.js';
import { chainHead, PieceHasher } from '../trust/pieces.js';
import { NOT_FORWARDED, normalise } from './ask.js';
import type { Errands } from './errands.js';
import type { OriginFetcher } from './origin.js';
import type { ObjectStore } from './store.js';

/** What is read of an upload's answer, in bytes. */
const ANSWER_BYTES_MAX = 1024 * 1024;

export interface OwnContentOptions {
  readonly store: ObjectStore;
  readonly transfer: ContentTransfer;
  readonly peering: LanPeering;
  readonly origin: OriginFetcher;
  readonly identity: Identity;
  readonly clock: Clock;
  /** Whether this node may use the Internet. */
  readonly internet: boolean;
  readonly errands: Pick<Errands, 'upload'>;
}

export class OwnContentService implements OwnContent {
  private readonly options: OwnContentOptions;

  constructor(options: OwnContentOptions) {
    this.options = options;
  }

  async find(service: string, request: ResourceRequest): Promise<FoundResource | undefined> {
    const { transfer, peering, identity } = this.options;
    const { url: href, variant } = normalise(service, request);
    const query = { href, variant, stale: false, ageMaxMs: undefined };
    const own = transfer.copies.find(query);
    if (own !== undefined) {
      return { where: 'own', node: identity.name, sizeBytes: own.sizeBytes, sha256: own.sha256 };
    }
    const search = peering.search({ service, href, variant, stale: false, waitMaxMs: 0 });
    try {
      const source = await search.first();
      if (source.kind === 'origin') return undefined;
      const node = source.name;
      if (source.kind === 'flight') {
        return { where: 'downloading', node, sizeBytes: undefined, sha256: undefined };
      }
      const { sizeBytes, sha256 } = source.copy;
      return { where: 'peer', node, sizeBytes, sha256 };
    } finally {
      search.cancel();
    }
  }

  async publish({ uri, path, lifetimeMs, contentType }: OwnPublication): Promise<Published> {
    const { store, clock } = this.options;
    const source = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    const incoming = await store.create();
    try {
      const hasher = new PieceHasher();
      for await (const chunk of source.createReadStream({ autoClose: false })) {
        if (hasher.sizeBytes + chunk.length > incoming.limitBytes) throw tooLarge(uri);
        hasher.update(chunk as Buffer);
        await incoming.file.write(chunk as Buffer);
      }
      const { sha256, hashes } = hasher.digest();
      const chain = chainHead(hashes);
      const { sizeBytes } = hasher;
      const fetchedAt = clock.wallMs();
      const about = {
        url: uri,
        variant: '*',
        status: 200,
        headers: headersOf(lifetimeMs, contentType),
      };
      const times = { fetchedAt, expiresAt: fetchedAt + Math.round(lifetimeMs) };
      // Nobody was asked over a cleartext line: these are the publisher's own bytes.
      const attestation = { ...about, ...times, sizeBytes, sha256, chain, tls: true };
      const signed = signAttestation(attestation, this.signer());
      await store.commit(incoming, hashes, signed, { immutable: false, shareable: true });
      return { sha256, sizeBytes };
    } catch (error) {
      await store.discard(incoming);
      throw error;
    } finally {
      await incoming.file.close();
      await source.close();
    }
  }

  async upload(request: UploadRequest, service: string): Promise<UploadResponse> {
    const { url, method, body } = request;
    const headers = forwarded(request.headers ?? {});
    const { origin, internet, errands } = this.options;
    if (!internet) return errands.upload(service, { ...request, headers });
    const answer = await origin.fetch(method, url, headers, body);
    const chunks: Buffer[] = [];
    let left = ANSWER_BYTES_MAX;
    for await (const chunk of answer.body) {
      chunks.push(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) break;
    }
    answer.cancel();
    const { status } = answer;
    return { status, headers: Object.entries(answer.headers), body: Buffer.concat(chunks) };
  }

  private signer(): AttestationSigner {
    const { kid, name, key, certificate } = this.options.identity;
    return { kid, name, key, certificate: certificate.raw.toString('base64url') };
  }
}

/** Freshness is judged by headers, here and at the peers, as for everything else. */
function headersOf(lifetimeMs: number, contentType: string | undefined): Record<string, string> {
  const control = { 'cache-control': `max-age=${Math.ceil(lifetimeMs / 1000)}` };
  return contentType === undefined ? control : { ...control, 'content-type': contentType };
}

function tooLarge(uri: string): CodedError {
  return new CodedError('E_PUBLISH_INVALID', `${uri.slice(0, 200)} is larger than the store`);
}

/** Neither host nor length is the sender's to say: the URL was judged, the body is measured. */
function forwarded(headers: Readonly<Record<string, string>>): Record<string, string> {
  const lower = Object.entries(headers).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  return Object.fromEntries(lower.filter(([name]) => !NOT_FORWARDED.has(name)));
}
