/**
 * The origin's part of a download: conditional where somebody holds a stale copy, resumed where
 * the connection broke, stale-if-error where the origin fails. Called by `fetch`, which calls the
 * peers.
 *
 * Invariants: a broken body is continued only with a validator (RFC 9110 §13.1.5) or under the
 * piece hashes of an adopted copy; a body that cannot be continued fails the flight.
 */
import { CodedError, errorCode } from '@peerage/sdk';
import type { LanSource, OriginReason } from '../protocol/effect.js';
import type { Attestation, SignedAttestation } from '../trust/attestation.js';
import { cutPieces, HASH_BYTES, isPiece, PIECE_BYTES } from '../trust/pieces.js';
import type { Ask } from './ask.js';
import type { Download, Fetch, FetchOptions } from './fetch.js';
import {
  expiresAt,
  type Headers,
  isPage,
  isShareable,
  isStorable,
  rangeValidator,
  refreshed,
  responseVariant,
  storableHeaders,
  usableOnError,
  validators,
} from './freshness.js';
import type { OriginAnswer } from './origin.js';
import { brokenOff, changed } from './origin-errors.js';
import { covers, directRange, partOf } from './origin-part.js';
import { askRest, type Begun, type Continued } from './origin-rest.js';
import { PeerFault } from './peer-body.js';
import type { PeerOffer } from './peer-fetch.js';

type Better = Promise<LanSource> | undefined;

/** Thrown inside a download that is given up for a better source (§5.3). */
class Yielded extends Error {}

/** Where a stale copy does while the origin cannot be asked. */
const MAKES_DO = ['E_ORIGIN_UNREACHABLE', 'E_ORIGIN_WAITS', 'E_OUTSIDE_HOURS'];

/** How often a body that breaks off is continued. */
const RESUMES_MAX = 3;

export class FromOrigin {
  private readonly options: FetchOptions;
  private readonly fetch: Fetch;

  constructor(options: FetchOptions, fetch: Fetch) {
    this.options = options;
    this.fetch = fetch;
  }

  /**
   * Takes the bytes from the Internet.
   * @param better resolves if a peer is to be used instead
   * @returns `yielded` if it came to that
   * @throws CodedError when it cannot
   */
  async take(download: Download, reason: OriginReason, better: Better): Promise<'ok' | 'yielded'> {
    try {
      await this.takeAll(download, reason, better);
      return 'ok';
    } catch (error) {
      if (!(error instanceof Yielded)) throw error;
      this.fetch.counters.add('yielded');
      // From here on the pieces come with the other node's signatures.
      download.flight.hasher.onPiece = undefined;
      return 'yielded';
    }
  }

  private async takeAll(download: Download, reason: OriginReason, better: Better): Promise<void> {
    const { flight, ask } = download;
    flight.source = 'origin';
    flight.from = new URL(ask.url).host;
    this.options.logger.log('info', 'origin-asked', { url: ask.url, service: ask.service, reason });
    this.fetch.demandInternet(ask.url);
    if (download.adopted !== undefined) {
      return this.continueAdopted(download, download.adopted, download.adopted.signed);
    }
    if (flight.headSent) return this.continueFlight(download);
    const known = download.local?.attestation ?? download.stale?.signed.attestation;
    const asked = this.ask(download, known);
    const answer = await Promise.race([asked, better?.then((): typeof YIELDS => YIELDS) ?? asked]);
    if (answer === YIELDS) {
      asked.then((late) => late?.cancel()).catch(() => undefined);
      throw new Yielded();
    }
    if (answer === undefined) return;
    this.options.manners.answered(ask.url, answer.status, answer.headers['retry-after']);
    if (answer.status === 304 && known !== undefined)
      return this.confirmed(download, known, answer);
    if (answer.status >= 500 && this.useStale(download)) return answer.cancel();
    return this.takeBody(download, answer);
  }

  /** The origin's answer; `undefined` if it failed and a stale copy took its place. */
  private async ask(
    download: Download,
    known: Attestation | undefined,
  ): Promise<OriginAnswer | undefined> {
    const { ask } = download;
    const condition = known === undefined ? {} : validators(known.headers);
    const range = known === undefined ? directRange(ask) : {};
    try {
      this.options.manners.demand(ask.url, ask.service);
      return await this.options.origin.fetch('GET', ask.url, {
        ...ask.headers,
        ...condition,
        ...range,
      });
    } catch (error) {
      if (MAKES_DO.includes(errorCode(error)) && this.useStale(download)) return undefined;
      throw error;
    }
  }

  private useStale({ flight, local, better }: Download): boolean {
    if (flight.headSent || better !== undefined || local === undefined) return false;
    if (!usableOnError(local.attestation, this.options.clock.wallMs())) return false;
    const { status, headers, sizeBytes, sha256 } = local.attestation;
    flight.begin({ status, headers, source: 'stale', sizeBytes, sha256, entry: local }, undefined);
    flight.complete();
    return true;
  }

  /** 304: the stale copy is good again; our own, or a peer's. */
  private async confirmed(
    download: Download,
    known: Attestation,
    answer: OriginAnswer,
  ): Promise<void> {
    answer.cancel();
    this.fetch.counters.add('revalidated');
    const { flight, ask, local, stale } = download;
    const headers = refreshed(known.headers, storableHeaders(answer.headers));
    const fetchedAt = this.options.clock.wallMs();
    const expires = expiresAt({ ...known, headers, fetchedAt }, ask.policy.immutable === true);
    const signed = this.fetch.attest({ ...known, headers, fetchedAt, expiresAt: expires });
    if (local !== undefined) {
      const rules = { immutable: local.immutable, shareable: local.shareable };
      const entry = await this.options.store.addEntry(signed, rules);
      // Evicted or purged while we asked.
      if (entry === undefined) return this.takeBody(download, await this.unconditional(ask));
      const { status, sizeBytes, sha256 } = known;
      flight.begin({ status, headers, source: 'revalidated', sizeBytes, sha256, entry }, undefined);
      return flight.complete();
    }
    if (stale === undefined)
      throw new CodedError('E_ORIGIN_CONFUSED', `${ask.url}: 304 to an unconditional request`);
    await this.fetch.beginFrom(download, stale, headers, 'revalidated');
    download.adopted = stale;
    try {
      await this.fetch.takePieces(download, stale);
    } catch (error) {
      if (!(error instanceof PeerFault)) throw error;
      return this.continueAdopted(download, stale, signed);
    }
    await this.fetch.finish(download, () => signed);
  }

  private unconditional({ url, headers }: Ask): Promise<OriginAnswer> {
    return this.options.origin.fetch('GET', url, headers);
  }

  private async takeBody(download: Download, answer: OriginAnswer): Promise<void> {
    const { flight, ask } = download;
    if (answer.status === 206) return this.takePart(download, answer);
    const headers = storableHeaders(answer.headers);
    const length = answer.headers['content-length'];
    const sizeBytes = length === undefined ? undefined : Number(length);
    const variant = responseVariant(answer.headers, ask.variant);
    const storable = variant !== undefined && this.storable(download, answer);
    const incoming = storable ? await this.fetch.createFile(sizeBytes) : undefined;
    flight.shared = storable;
    const { status, cookies } = answer;
    const head = { status, headers, cookies, source: 'origin', sha256: undefined } as const;
    flight.begin({ ...head, sizeBytes }, incoming);
    const tls = ask.url.startsWith('https:');
    if (incoming !== undefined && flight.options.joinable && isShareable(tls, ask.policy)) {
      const about = { url: ask.url, variant: variant ?? '*', status: answer.status, headers };
      this.fetch.signPieces(flight, { ...about, sizeBytes, tls, firstPiece: 0 });
    } else flight.track.close('unshareable');
    await this.copyBody(download, answer, headers);
    await this.fetch.finish(download, (sha256, chain) => {
      return this.describe(download, { variant: variant ?? '*', headers, sha256, chain });
    });
  }

  /** A 206: the later part that was asked for. An origin that sends another one is asked anew. */
  private async takePart(download: Download, answer: OriginAnswer): Promise<void> {
    const { flight, ask } = download;
    const part = partOf(answer);
    if (part === undefined || !covers(part, ask)) {
      answer.cancel();
      const whole = await this.unconditional(ask);
      if (whole.status !== 206) return this.takeBody(download, whole);
      whole.cancel();
      throw new CodedError('E_ORIGIN_CONFUSED', `${ask.url}: a part came that was not asked for`);
    }
    const { firstByte, endByte, totalBytes: sizeBytes } = part;
    const headers = storableHeaders(answer.headers);
    delete headers['content-range'];
    headers['content-length'] = String(sizeBytes);
    flight.solo = true;
    flight.track.close('unshareable');
    const head = { status: 200, headers, source: 'origin', sha256: undefined } as const;
    flight.begin({ ...head, sizeBytes, firstByte }, undefined);
    flight.totalBytes = endByte - firstByte;
    await this.copyBody(download, answer, headers);
    flight.verify();
    flight.complete();
  }

  private storable({ ask }: Download, answer: OriginAnswer): boolean {
    if (ask.personal) return false;
    return isStorable(
      ask.url,
      ask.headers,
      answer.status,
      answer.headers,
      ask.policy.immutable === true && !isPage(answer.headers),
    );
  }

  /** Copies the body, continuing it where the connection breaks. */
  private async copyBody(
    download: Download,
    answer: OriginAnswer,
    headers: Headers,
  ): Promise<void> {
    const { flight, ask } = download;
    let body = answer;
    flight.spool.onDeserted = () => body.cancel();
    for (let resumes = 0; ; resumes += 1) {
      const before = flight.receivedBytes;
      try {
        for await (const chunk of body.body) await this.append(download, chunk);
        return;
      } catch (cause) {
        body.cancel();
        if (cause instanceof CodedError || cause instanceof Yielded) throw cause;
        if (flight.spool.deserted)
          throw new CodedError('E_CANCELLED', 'nobody reads this download');
        const next =
          resumes < RESUMES_MAX && !flight.solo
            ? await this.resume(ask, headers, flight.receivedBytes, flight.totalBytes)
            : undefined;
        if (next === undefined) throw brokenOff(ask.url, flight.receivedBytes, cause);
        body = next;
      } finally {
        this.fetch.counters.add('bytes-from-origin', flight.receivedBytes - before);
      }
    }
  }

  /** Adds bytes; a download that is to be given up ends with a whole piece. @throws Yielded */
  private async append(download: Download, chunk: Buffer): Promise<void> {
    await this.options.manners.take(chunk.length);
    const { flight } = download;
    if (!mayYield(download)) return flight.append(chunk);
    const beyondBytes = flight.receivedBytes % PIECE_BYTES;
    const left = beyondBytes === 0 ? 0 : PIECE_BYTES - beyondBytes;
    if (left > 0) await flight.append(chunk.subarray(0, left));
    if (chunk.length >= left) throw new Yielded();
  }

  /** A piece that we have already, from an origin that sends nothing but the whole. @throws Yielded */
  private async skip(download: Download, { length }: Buffer): Promise<void> {
    await this.options.manners.take(length);
    if (mayYield(download)) throw new Yielded();
  }

  /** The rest of a body, if the origin can give it and still has the same one. */
  private async resume(
    ask: Ask,
    headers: Headers,
    from: number,
    sizeBytes: number | undefined,
  ): Promise<OriginAnswer | undefined> {
    const rest = await this.askRest(ask, { headers, sizeBytes }, from);
    if (rest === undefined || rest === 'changed') return undefined;
    if (rest.firstByte === from) return rest.answer;
    rest.answer.cancel();
    return undefined;
  }

  private async askRest(ask: Ask, begun: Begun, from: number) {
    const rest = await askRest(this.options.origin, ask, begun, from);
    if (typeof rest === 'object' && rest.firstByte > 0) this.fetch.counters.add('origin-resumed');
    return rest;
  }

  /** Continues a peer's copy from the origin, every piece checked against the copy's hashes. */
  private continueAdopted(
    download: Download,
    { signed: { attestation }, hashes }: PeerOffer,
    signed: SignedAttestation,
  ): Promise<void> {
    const { headers, sizeBytes } = attestation;
    return this.continueBytes(download, { headers, sizeBytes, hashes, describe: () => signed });
  }

  /** Continues a flight whose node is gone, from now on as its node (§5.4). */
  private continueFlight(download: Download): Promise<void> {
    const { flight } = download;
    const [head] = flight.track.heads;
    if (head === undefined) throw new Error('invariant broken: a flight without a head goes on');
    const { headers, sizeBytes, variant } = head.description;
    if (flight.receivedBytes % PIECE_BYTES !== 0) {
      // Its last piece is there but not its end: nobody can say that this was all.
      throw brokenOff(download.ask.url, flight.receivedBytes, 'the flight ended without its end');
    }
    const after = [...new Set(flight.track.heads.map(({ signer }) => signer))];
    const firstPiece = flight.receivedBytes / PIECE_BYTES;
    this.fetch.signPieces(flight, { ...head.description, firstPiece });
    const describe = (sha256: string, chain: string) => {
      return this.describe(download, { variant, headers, sha256, chain, after });
    };
    return this.continueBytes(download, {
      headers,
      sizeBytes,
      hashes: flight.hasher.known,
      describe,
    });
  }

  private async continueBytes(download: Download, known: Continued): Promise<void> {
    const { flight, ask } = download;
    const from = flight.receivedBytes;
    const rest = await this.askRest(ask, known, from);
    if (rest === 'changed') throw changed(ask.url);
    const answer = rest?.answer ?? (await this.unconditional(ask));
    let piece = (rest?.firstByte ?? 0) / PIECE_BYTES;
    try {
      if (piece === 0 && answer.status !== 200) throw changed(ask.url);
      for await (const bytes of cutPieces(answer.body)) {
        const checked = piece < known.hashes.length / HASH_BYTES;
        if (checked && !isPiece(bytes, known.hashes, piece)) throw changed(ask.url);
        piece += 1;
        if (piece * PIECE_BYTES > from) await this.append(download, bytes);
        else await this.skip(download, bytes);
      }
    } catch (cause) {
      if (cause instanceof Yielded) throw cause;
      throw cause instanceof CodedError ? cause : brokenOff(ask.url, flight.receivedBytes, cause);
    } finally {
      answer.cancel();
      this.fetch.counters.add('bytes-from-origin', flight.receivedBytes - from);
    }
    await this.fetch.finish(download, known.describe);
  }

  /** Our word for what came from the origin. */
  private describe({ flight, ask }: Download, found: Found): SignedAttestation {
    const { variant, headers, sha256, chain, after } = found;
    const fetchedAt = this.options.clock.wallMs();
    const base = { url: ask.url, variant, status: 200, headers, fetchedAt };
    const expires = expiresAt(base, ask.policy.immutable === true);
    const tls = ask.url.startsWith('https:');
    const sizeBytes = flight.receivedBytes;
    return this.fetch.attest({
      ...base,
      sizeBytes,
      sha256,
      chain,
      expiresAt: expires,
      tls,
      ...(after === undefined ? {} : { after }),
    });
  }
}

/** What an attestation is made of, besides what the download knows. */
interface Found {
  readonly variant: string;
  readonly headers: Headers;
  readonly sha256: string;
  readonly chain: string;
  /** The nodes whose flight was continued: they vouched for the bytes before. */
  readonly after?: readonly string[];
}

/** Whether a better source can go on from the last whole piece: what it has is the same. */
function mayYield({ flight, better }: Download): boolean {
  const [head] = flight.track.heads;
  const same = head !== undefined && rangeValidator(head.description.headers) !== undefined;
  return better !== undefined && same && flight.track.state === 'open';
}

const YIELDS: unique symbol = Symbol('a better source is used');
