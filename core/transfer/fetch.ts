/**
 * One download: asks the heart for sources and tries them in its order until the bytes are there.
 *
 *   search ─► peer: offer ─► judge ─► pieces ──┐
 *     ▲         │ stale: remember it, ask the origin whether it is still good
 *     │         └ lied, failed: next source, resuming at the last verified piece
 *     ├──────── flight: follow its pieces ──────┤
 *     └──────── origin (`from-origin`) ─────────┴─► verify ─► attest ─► store ─► settle
 *
 * Invariants: a flight gets exactly one head, and from a peer only with the first verified bytes;
 * bytes from a peer are verified before they are appended; a source that continues another has the
 * same SHA-256; `run` never rejects, the flight carries the error.
 */
import { createHash } from 'node:crypto';
import { CodedError, errorCode, type ResourceResponse } from '@peerage/sdk';
import { Counters } from '../base/bounded.js';
import type { Clock } from '../base/time.js';
import type { Logger } from '../ports/log.js';
import type { LanPeering, LanSearch } from '../ports/ports.js';
import type { SearchWitness } from '../ports/why.js';
import type {
  FlightSource,
  LanSource,
  OriginSource,
  PeerSource,
  Source,
} from '../protocol/effect.js';
import type { RetrievalResult } from '../protocol/retrieval.js';
import { type Attestation, type SignedAttestation, signAttestation } from '../trust/attestation.js';
import type { Identity } from '../trust/authority.js';
import { type FlightDescription, signHead, signPiece } from '../trust/flight.js';
import type { Witness } from '../trust/keyring.js';
import { chainHead, HASH_BYTES, PIECE_BYTES } from '../trust/pieces.js';
import { type Ask, demandPublic } from './ask.js';
import type { Entry } from './catalogue.js';
import type { Errands } from './errands.js';
import type { Flight } from './flight.js';
import { deliveredHeaders, type Headers, isPage, isShareable } from './freshness.js';
import { FromFlight } from './from-flight.js';
import { FromOrigin } from './from-origin.js';
import { judgeOffer } from './judge.js';
import type { Manners } from './manners.js';
import type { OriginFetcher } from './origin.js';
import { passHead } from './pass-head.js';
import { PeerFault } from './peer-body.js';
import type { PeerFetcher, PeerOffer } from './peer-fetch.js';
import type { ObjectStore } from './store.js';

export interface FetchOptions {
  readonly store: ObjectStore;
  readonly origin: Pick<OriginFetcher, 'fetch'>;
  readonly peers: PeerFetcher;
  readonly peering: LanPeering;
  readonly identity: Identity;
  readonly keyring: Witness;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether this node may use the Internet. */
  readonly internet: boolean;
  /** Who gets what this node may not get itself (§5.5). */
  readonly errands?: Pick<Errands, 'fetch'> | undefined;
  readonly manners: Manners;
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
  /** A peer's flight or copy that is to be used instead of asking the Internet (§5.3). */
  better: LanSource | undefined;
  /** Set when bytes were passed on that turned out to be others than were announced. */
  spoilt: unknown;
}

export class Fetch {
  readonly counters = new Counters();
  private readonly options: FetchOptions;
  private readonly fromOrigin: FromOrigin;
  private readonly fromFlight: FromFlight;

  constructor(options: FetchOptions) {
    this.options = options;
    this.fromOrigin = new FromOrigin(options, this);
    this.fromFlight = new FromFlight(options, this);
  }

  /** Carries a flight out; its followers learn the outcome from it. */
  async run(flight: Flight, ask: Ask, local: Entry | undefined): Promise<void> {
    const nothing = { adopted: undefined, stale: undefined, better: undefined, spoilt: undefined };
    const download: Download = { flight, ask, local, ...nothing };
    let search: LanSearch | undefined;
    try {
      search = this.search(ask, flight.options.trail);
      await this.trySources(download, search);
      search?.done();
    } catch (error) {
      search?.cancel();
      flight.fail(error);
      this.counters.add(`failed-${errorCode(error)}`);
      const { url, service } = ask;
      this.options.logger.log('warn', 'download-failed', { url, service, error });
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

  /** @throws CodedError `E_NO_INTERNET`, `E_NOT_PUBLISHED` */
  demandInternet(url: string): void {
    demandPublic(url);
    if (this.options.internet) return;
    throw new CodedError(
      'E_NO_INTERNET',
      `${url}: no peer has it and this node may not use the Internet`,
      { action: 'set core.internet to true on this node, or fetch it on another one first' },
    );
  }

  /** Passes a HEAD on; nothing is stored. @throws CodedError as `OriginFetcher.fetch` */
  async head(ask: Ask): Promise<ResourceResponse> {
    this.demandInternet(ask.url);
    return passHead(this.options.origin, ask);
  }

  /** Signs what we got from the origin and puts it into the store. */
  attest(attestation: Attestation): SignedAttestation {
    return signAttestation(attestation, this.signer());
  }

  /** From now on every piece of the flight is signed for those who follow it (§6.3). */
  signPieces(flight: Flight, description: FlightDescription): void {
    const { key, certificate } = this.options.identity;
    const head = signHead(description, this.signer(), certificate.publicKey);
    flight.track.addHead(head);
    flight.hasher.onPiece = (piece, chain) => {
      flight.track.addPiece(signPiece(head, piece, chain, key));
    };
  }

  private signer() {
    const { kid, name, key, certificate } = this.options.identity;
    return { kid, name, key, certificate: certificate.raw.toString('base64url') };
  }

  /** Ends a download whose bytes all came; keeps them if they went to a file. */
  async finish(
    { flight, ask }: Download,
    describe: (sha256: string, chain: string) => SignedAttestation,
  ) {
    const { sha256, hashes } = flight.verify();
    flight.complete();
    const { incoming } = flight;
    if (incoming === undefined) return flight.track.close('unshareable');
    if (!flight.spool.stored) {
      const code = flight.receivedBytes > incoming.limitBytes ? 'E_TOO_LARGE' : 'E_DISK_FULL';
      this.options.logger.log('warn', 'not-stored', { code, url: ask.url });
      flight.track.close('failed');
      return this.discard(flight);
    }
    const signed = sameBytes(describe(sha256, chainHead(hashes)), sha256, chainHead(hashes));
    if (this.options.keyring.isRevoked(signed.signer)) {
      flight.track.close('failed');
      return this.discard(flight);
    }
    flight.track.end(signed);
    try {
      const rules = this.rules(ask, signed.attestation);
      await this.options.store.commit(incoming, hashes, signed, rules);
    } catch (error) {
      this.options.logger.log('warn', 'not-stored', { code: errorCode(error), url: ask.url });
      await this.discard(flight);
    }
  }

  /** Ends a followed download whose pieces all came, but not the word of its node to keep it with. */
  private async finishUnkept(flight: Flight): Promise<void> {
    flight.verify();
    flight.complete();
    flight.track.close('failed');
    await this.discard(flight);
  }

  rules(ask: Ask, attestation: Attestation) {
    const shareable = isShareable(attestation.tls, ask.policy);
    const page = isPage(attestation.headers);
    return { immutable: ask.policy.immutable === true && !page, shareable };
  }

  /** Takes pieces from a peer, from the last verified one on. @throws PeerFault */
  async takePieces(download: Download, offer: PeerOffer): Promise<void> {
    const { flight } = download;
    flight.source = 'peer';
    flight.from = offer.source.name;
    const before = flight.receivedBytes;
    try {
      let at = (before / PIECE_BYTES) * HASH_BYTES;
      for await (const bytes of this.options.peers.pieces(offer, before / PIECE_BYTES)) {
        if (download.adopted === undefined) await this.adopt(download, offer, bytes);
        await flight.append(bytes, offer.hashes.subarray(at, at + HASH_BYTES));
        at += HASH_BYTES;
      }
      if (download.adopted === undefined) await this.adopt(download, offer, Buffer.alloc(0));
    } finally {
      this.counters.add('bytes-from-peers', flight.receivedBytes - before);
    }
  }

  private search(ask: Ask, witness: SearchWitness): LanSearch | undefined {
    const { url: href, variant, service } = ask;
    if (!ask.askPeers || !isShareable(!href.startsWith('http:'), ask.policy)) return undefined;
    const { waitMaxMs = Number.POSITIVE_INFINITY } = ask.policy;
    const want = { service, href, variant, stale: true, waitMaxMs };
    return this.options.peering.search(want, witness);
  }

  private async trySources(download: Download, search: LanSearch | undefined): Promise<void> {
    let source: Source = (await search?.first()) ?? { kind: 'origin', reason: 'unshared' };
    for (;;) {
      const tried = source;
      const { trail } = download.flight.options;
      const result = await trail.trying(tried, () => this.trySource(download, tried, search));
      if (result === 'ok') return;
      const next: Source | undefined =
        result === 'yielded' ? download.better : await search?.next(tried, result);
      if (download.spoilt !== undefined) throw download.spoilt;
      if (next === undefined)
        throw new CodedError('E_NO_SOURCE', `no source has ${download.ask.url}`);
      source = next;
    }
  }

  private async trySource(
    download: Download,
    source: Source,
    search: LanSearch | undefined,
  ): Promise<RetrievalResult | 'yielded'> {
    if (source.kind !== 'origin') return this.tryLan(download, source);
    const { internet } = this.options;
    if (await this.runErrand(download, source, internet ? 1 : undefined)) return 'ok';
    download.better = undefined;
    const better = search?.better;
    better?.then((found) => {
      download.better = found;
    });
    try {
      return await this.fromOrigin.take(download, source.reason, better);
    } catch (error) {
      // Its own way is no way either: the provider may have been followed by another meanwhile.
      const lost = source.byProvider === true && errorCode(error) === 'E_ORIGIN_UNREACHABLE';
      if (lost && (await this.runErrand(download, source))) return 'ok';
      throw error;
    }
  }

  /**
   * Has the provider get it, if this node has no way of its own: once before its own way, if it only
   * cannot reach the Internet at the moment, and as often as it takes after that has failed. What is not for others is not for the provider either.
   */
  private async runErrand(
    download: Download,
    { byProvider }: OriginSource,
    triesMax?: number,
  ): Promise<boolean> {
    const { internet, errands } = this.options;
    const { ask } = download;
    if (errands === undefined || ask.personal || (internet && byProvider !== true)) return false;
    const done = await errands.fetch(ask, (at) => this.tryLan(download, at), triesMax);
    if (download.spoilt !== undefined) throw download.spoilt;
    return done;
  }

  private async tryLan(
    download: Download,
    source: PeerSource | FlightSource,
  ): Promise<RetrievalResult> {
    try {
      if (source.kind === 'peer') return await this.tryPeer(download, source);
      return await this.fromFlight.take(download, source);
    } catch (error) {
      if (errorCode(error) === 'E_DIGEST_MISMATCH') {
        this.counters.add('peer-lied');
        download.spoilt = error;
        return 'lied';
      }
      if (!(error instanceof PeerFault)) throw error;
      const { name: peer, address } = source;
      const { code, result, message: why } = error;
      this.counters.add(`peer-${result}`);
      download.flight.options.trail.because(why);
      const fields = { code, peer, address, url: download.ask.url, why };
      this.options.logger.log('warn', 'source-failed', fields);
      const { adopted, flight } = download;
      if (!flight.headSent || flight.receivedBytes !== flight.totalBytes) return result;
      // All that was promised is there; how the connection ended does not matter.
      if (adopted === undefined) await this.finishUnkept(flight);
      else await this.finish(download, () => adopted.signed);
      return 'ok';
    }
  }

  /** Takes a copy of a peer's. @throws PeerFault */
  async tryPeer(download: Download, source: PeerSource): Promise<RetrievalResult> {
    const { flight, ask } = download;
    const offer = await this.options.peers.offer(source);
    const { local, adopted } = download;
    const suits = judgeOffer(offer, { ask, local, adopted, now: this.options.clock.wallMs() });
    if (suits === 'stale') download.stale ??= offer;
    if (suits !== 'fresh') return 'unsuitable';
    flight.expectedSha256 = source.copy.sha256;
    if (flight.headSent && download.adopted === undefined && !this.continues(flight, offer)) {
      return 'unsuitable';
    }
    await this.takePieces(download, offer);
    await this.finish(download, () => offer.signed);
    return 'ok';
  }

  /** Whether a copy begins with the pieces that we have already. */
  private continues({ hasher, receivedBytes }: Flight, { hashes }: PeerOffer): boolean {
    const { known } = hasher;
    const whole = receivedBytes === (known.length / HASH_BYTES) * PIECE_BYTES;
    return whole && hashes.subarray(0, known.length).equals(known);
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
    const { kid, copy } = offer.source;
    download.flight.track.takeFrom({ kid, copy });
    if (download.flight.headSent) return;
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

/** The attestation of a followed flight, if it is of the bytes that came. @throws PeerFault */
function sameBytes(signed: SignedAttestation, sha256: string, chain: string): SignedAttestation {
  const { attestation } = signed;
  if (attestation.sha256 === sha256 && attestation.chain === chain) return signed;
  throw new PeerFault('lied', 'the attestation is of other bytes than were signed');
}
