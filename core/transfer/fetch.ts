/**
 * One download: asks the heart for sources and tries them in its order until the bytes are there.
 *
 *   search ─► peer: offer ─► judge ─► pieces ──┐
 *     ▲         │ stale: remember it, ask the origin whether it is still good
 *     │         └ lied, failed: next source, resuming at the last verified piece
 *     └──────── origin (`from-origin`) ─────────┴─► verify ─► attest ─► store ─► settle
 *
 * Invariants: a flight gets exactly one head, and from a peer only with the first verified bytes;
 * bytes from a peer are verified before they are appended; a source that continues another has the
 * same SHA-256; `run` never rejects, the flight carries the error.
 */
import { createHash } from 'node:crypto';
import { CodedError, describeError, errorCode, type ResourceResponse } from '@peerage/sdk';
import { Counters } from '../base/bounded.js';
import type { Clock } from '../base/time.js';
import type { Logger } from '../ports/log.js';
import type { LanPeering, LanSearch } from '../ports/ports.js';
import type { PeerSource, Source } from '../protocol/effect.js';
import type { RetrievalResult } from '../protocol/peer.js';
import { type Attestation, type SignedAttestation, signAttestation } from '../trust/attestation.js';
import type { Identity } from '../trust/authority.js';
import { chainHead, PIECE_BYTES } from '../trust/pieces.js';
import type { Ask } from './ask.js';
import type { Entry } from './catalogue.js';
import type { Flight } from './flight.js';
import {
  deliveredHeaders,
  type Headers,
  isFresh,
  isShareable,
  storableHeaders,
  validators,
} from './freshness.js';
import { FromOrigin } from './from-origin.js';
import type { OriginFetcher } from './origin.js';
import { PeerFault, type PeerFetcher, type PeerOffer } from './peer-fetch.js';
import type { ObjectStore } from './store.js';

/** From this first byte on a request for a later part goes to the origin as such. */
export const RANGE_DIRECT_BYTES = 4 * 1024 * 1024;

export interface FetchOptions {
  readonly store: ObjectStore;
  readonly origin: OriginFetcher;
  readonly peers: PeerFetcher;
  readonly peering: LanPeering;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether this node may use the Internet. */
  readonly internet: boolean;
}

/** The state of one download. */
export interface Download {
  readonly flight: Flight;
  readonly ask: Ask;
  /** Our own copy, if there is a stale one. */
  readonly local: Entry | undefined;
  /** The copy that bytes are being taken from; later sources must have the same bytes. */
  adopted: PeerOffer | undefined;
  /** A peer's copy that the origin has yet to confirm. */
  stale: PeerOffer | undefined;
  /** Set when bytes were passed on that turned out to be others than were announced. */
  spoilt: unknown;
}

export class Fetch {
  readonly counters = new Counters();
  private readonly options: FetchOptions;
  private readonly fromOrigin: FromOrigin;

  constructor(options: FetchOptions) {
    this.options = options;
    this.fromOrigin = new FromOrigin(options, this);
  }

  /** Carries a flight out; its followers learn the outcome from it. */
  async run(flight: Flight, ask: Ask, local: Entry | undefined): Promise<void> {
    const nothing = { adopted: undefined, stale: undefined, spoilt: undefined };
    const download: Download = { flight, ask, local, ...nothing };
    let search: LanSearch | undefined;
    try {
      search = this.search(ask);
      await this.trySources(download, search);
      search?.done();
    } catch (error) {
      search?.cancel();
      flight.fail(error);
      this.counters.add(`failed-${errorCode(error)}`);
      this.options.logger.log('warn', 'download-failed', {
        url: ask.url,
        service: ask.service,
        code: errorCode(error),
        error: describeError(error),
      });
      await this.discard(flight);
    }
    flight.spool.release();
  }

  /** A file that could not be removed is swept at the next start. */
  private async discard({ incoming }: Flight): Promise<void> {
    if (incoming === undefined) return;
    await this.options.store.discard(incoming).catch((error: unknown) => {
      this.options.logger.log('warn', 'not-discarded', { error });
    });
  }

  /** @throws CodedError `E_NO_INTERNET` */
  demandInternet(url: string): void {
    if (this.options.internet) return;
    throw new CodedError(
      'E_NO_INTERNET',
      `${url}: no peer has it and this node may not use the Internet`,
      {
        action: 'set core.internet to true on this node, or fetch it on another one first',
      },
    );
  }

  /** Passes a HEAD on; nothing is stored. @throws CodedError as `OriginFetcher.fetch` */
  async head(ask: Ask): Promise<ResourceResponse> {
    this.demandInternet(ask.url);
    const answer = await this.options.origin.fetch('HEAD', ask.url, ask.headers);
    answer.cancel();
    const length = answer.headers['content-length'];
    return {
      status: answer.status,
      headers: Object.entries(storableHeaders(answer.headers)),
      source: 'origin',
      sizeBytes: length === undefined ? undefined : Number(length),
      sha256: undefined,
      body: (async function* () {})(),
    };
  }

  /** Signs what we got from the origin and puts it into the store. */
  attest(attestation: Attestation): SignedAttestation {
    const { kid, name, key, certificate } = this.options.identity;
    return signAttestation(attestation, {
      kid,
      name,
      key,
      certificate: certificate.raw.toString('base64url'),
    });
  }

  /** Ends a download whose bytes all came; keeps them if they went to a file. */
  async finish(
    { flight, ask }: Download,
    describe: (sha256: string, chain: string) => SignedAttestation,
  ) {
    const { sha256, hashes } = flight.verify();
    flight.complete();
    const { incoming } = flight;
    if (incoming === undefined) return;
    if (!flight.spool.stored) {
      const code = flight.receivedBytes > incoming.limitBytes ? 'E_TOO_LARGE' : 'E_DISK_FULL';
      this.options.logger.log('warn', 'not-stored', { code, url: ask.url });
      return this.discard(flight);
    }
    const signed = describe(sha256, chainHead(hashes));
    try {
      await this.options.store.commit(
        incoming,
        hashes,
        signed,
        this.rules(ask, signed.attestation),
      );
    } catch (error) {
      this.options.logger.log('warn', 'not-stored', { code: errorCode(error), url: ask.url });
      await this.discard(flight);
    }
  }

  rules(ask: Ask, attestation: Attestation) {
    const shareable = isShareable(attestation.tls, ask.policy);
    return { immutable: ask.policy.immutable === true, shareable };
  }

  /** Takes pieces from a peer, from the last verified one on. @throws PeerFault */
  async takePieces(download: Download, offer: PeerOffer): Promise<void> {
    const { flight } = download;
    flight.source = 'peer';
    flight.from = offer.source.name;
    const before = flight.receivedBytes;
    try {
      for await (const bytes of this.options.peers.pieces(offer, before / PIECE_BYTES)) {
        if (download.adopted === undefined) await this.adopt(download, offer, bytes);
        await flight.append(bytes);
      }
      if (download.adopted === undefined) await this.adopt(download, offer, Buffer.alloc(0));
    } finally {
      this.counters.add('bytes-from-peers', flight.receivedBytes - before);
    }
  }

  private search(ask: Ask): LanSearch | undefined {
    const { url: href, variant, service } = ask;
    if (!ask.askPeers || !isShareable(href.startsWith('https:'), ask.policy)) return undefined;
    return this.options.peering.search({ service, href, variant, stale: true });
  }

  private async trySources(download: Download, search: LanSearch | undefined): Promise<void> {
    let source: Source = (await search?.first()) ?? { kind: 'origin', reason: 'unshared' };
    for (;;) {
      if (source.kind === 'origin') return this.fromOrigin.take(download, source.reason);
      const result = await this.tryPeer(download, source);
      if (result === 'ok') return;
      const next: Source | undefined = await search?.next(source, result);
      if (download.spoilt !== undefined) throw download.spoilt;
      if (next === undefined)
        throw new CodedError('E_NO_SOURCE', `no source has ${download.ask.url}`);
      source = next;
    }
  }

  private async tryPeer(download: Download, source: PeerSource): Promise<RetrievalResult> {
    const { flight, ask } = download;
    try {
      const offer = await this.options.peers.offer(source);
      const suits = this.judge(download, offer);
      if (suits === 'stale') download.stale ??= offer;
      if (suits !== 'fresh') return 'unsuitable';
      await this.takePieces(download, offer);
      await this.finish(download, () => offer.signed);
      return 'ok';
    } catch (error) {
      if (errorCode(error) === 'E_DIGEST_MISMATCH') {
        this.counters.add('peer-lied');
        download.spoilt = error;
        return 'lied';
      }
      if (!(error instanceof PeerFault)) throw error;
      const { name: peer, address } = source;
      this.counters.add(`peer-${error.result}`);
      const fields = { code: error.code, peer, address, url: ask.url, why: error.message };
      this.options.logger.log('warn', 'source-failed', fields);
      const { adopted } = download;
      if (adopted === undefined || flight.receivedBytes !== flight.totalBytes) return error.result;
      // All that was promised is there; how the connection ended does not matter.
      await this.finish(download, () => adopted.signed);
      return 'ok';
    }
  }

  /** Whether a peer's copy is what was asked for (§7). */
  private judge(
    { ask, local, adopted }: Download,
    { signed }: PeerOffer,
  ): 'fresh' | 'stale' | 'unsuitable' {
    const { attestation } = signed;
    const { digest } = ask.policy;
    const variantFits = attestation.variant === '*' || attestation.variant === ask.variant;
    if (attestation.url !== ask.url || attestation.status !== 200 || !variantFits)
      return 'unsuitable';
    if (!isShareable(attestation.tls, ask.policy)) return 'unsuitable';
    if (local !== undefined && attestation.fetchedAt < local.attestation.fetchedAt)
      return 'unsuitable';
    if (adopted !== undefined) {
      return adopted.source.copy.sha256 === attestation.sha256 ? 'fresh' : 'unsuitable';
    }
    const known = digest?.algorithm === 'sha256';
    if (known && digest.hex !== attestation.sha256) return 'unsuitable';
    const now = this.options.clock.wallMs();
    if (attestation.fetchedAt > now + FUTURE_TOLERANCE_MS) return 'unsuitable';
    const immutable = ask.policy.immutable === true || known;
    if (isFresh(attestation, ask.headers, immutable, now)) return 'fresh';
    return Object.keys(validators(attestation.headers)).length > 0 ? 'stale' : 'unsuitable';
  }

  /**
   * Takes this copy for the answer, now that its first piece is there.
   * @throws PeerFault if the piece is all of it and is not what the client knows that it is
   */
  private async adopt(download: Download, offer: PeerOffer, bytes: Buffer): Promise<void> {
    const { digest } = download.ask.policy;
    const { attestation } = offer.signed;
    if (digest !== undefined && attestation.sizeBytes === bytes.length) {
      const hex = createHash(digest.algorithm).update(bytes).digest('hex');
      if (hex !== digest.hex)
        throw new PeerFault('failed', `its copy has ${digest.algorithm} ${hex}`);
    }
    download.adopted = offer;
    const headers = deliveredHeaders(attestation, this.options.clock.wallMs());
    await this.beginFrom(download, offer, headers, 'peer');
  }

  /** Announces the head of a copy that a peer will deliver. */
  async beginFrom(
    { flight }: Download,
    offer: PeerOffer,
    headers: Headers,
    source: 'peer' | 'revalidated',
  ) {
    const { status, sizeBytes, sha256 } = offer.signed.attestation;
    const incoming = await this.createFile(sizeBytes);
    flight.begin({ status, headers, source, sizeBytes, sha256 }, incoming);
  }

  /** A file for the bytes, if the store can take them; a download works without one too. */
  async createFile(sizeBytes: number | undefined) {
    const { store, logger } = this.options;
    if (sizeBytes !== undefined && sizeBytes > store.quotaBytes) return undefined;
    try {
      return await store.create();
    } catch (error) {
      logger.log('warn', 'not-stored', { code: errorCode(error) });
      return undefined;
    }
  }
}

/** An attestation may be this much in the future: clocks differ. */
const FUTURE_TOLERANCE_MS = 60_000;
