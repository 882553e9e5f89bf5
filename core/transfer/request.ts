/**
 * The request path: own store, else join a download in progress, else start one. It alone owns
 * freshness and collapsing; what a download does is in `fetch`.
 *
 *   normalise ─► fresh in the store? ──yes──► deliver (verified at every read)
 *                      │no
 *                      └─► in flight already? ──yes──► follow
 *                                 │no
 *                                 └─► fetch (peers, else origin) ─► store ─► deliver
 */
import {
  CodedError,
  errorCode,
  type ResourceRequest,
  type ResourceResponse,
  type ResourceSource,
} from '@peerage/sdk';
import { BoundedMap, Counters } from '../base/bounded.js';
import type { Clock } from '../base/time.js';
import type { Lender, Loan } from '../ports/leases.js';
import type { Logger } from '../ports/log.js';
import type {
  CacheEntryStatus,
  ContentTransfer,
  DownloadStatus,
  ObjectsGone,
  TransferStatus,
} from '../ports/ports.js';
import type { WhyRecord } from '../ports/why.js';
import type { Copies, CopyQuery } from '../protocol/context.js';
import type { Copy } from '../protocol/message.js';
import { cutPieces, isPiece, PIECE_BYTES } from '../trust/pieces.js';
import { type Ask, normalise } from './ask.js';
import type { Entry } from './catalogue.js';
import { checkDigest } from './check-digest.js';
import { closing } from './closing.js';
import { downloadStatus, rateOf } from './download-status.js';
import { entryStatus } from './entry-status.js';
import type { Fetch } from './fetch.js';
import { Flight, type FlightHead } from './flight.js';
import { deliveredHeaders, isFresh, isShareable } from './freshness.js';
import type { AddressGuard } from './guard.js';
import { KnownDigests } from './known-digest.js';
import { isImmutable, lend } from './lend.js';
import { joinable } from './origin-part.js';
import type { Relays } from './serve.js';
import type { ObjectStore } from './store.js';
import { type Trail, WhyBook } from './why.js';

/** Downloads at once; more are refused rather than queued without end. */
const FLIGHTS_MAX = 512;

export interface RequestOptions {
  readonly store: ObjectStore;
  readonly fetch: Fetch;
  readonly guard: AddressGuard;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where followers on other nodes find a download of ours. */
  readonly flightPath: (href: string, variant: string) => string;
  /** This node's name, as it stands in what it signs. */
  readonly nodeName: string;
}

/** A delivery from the store that has begun. */
interface LocalReading {
  readonly entry: Entry;
  readonly ask: Ask;
  readonly start: number;
  readonly end: number;
  readonly hashes: Buffer;
  readonly first: IteratorResult<Buffer>;
  readonly rest: AsyncGenerator<Buffer>;
}

export class RequestPath implements ContentTransfer, Lender {
  readonly counters = new Counters();
  private soloFlights = 0;
  private readonly landed = new BoundedMap<
    string,
    { readonly href: string; readonly variant: string }
  >(FLIGHTS_MAX);
  private readonly options: RequestOptions;
  private readonly flights = new Map<string, Flight>();
  private readonly digests: KnownDigests;
  private readonly book: WhyBook;

  constructor(options: RequestOptions) {
    this.options = options;
    this.digests = new KnownDigests(options.store);
    this.book = new WhyBook(options.clock);
  }

  onObjectsGone(listener: (gone: ObjectsGone) => void): { dispose(): void } {
    return this.options.store.gone.add(listener);
  }

  /** What peers may be told of our store (§3.1). */
  readonly copies: Copies = {
    find: (query) => this.findCopy(query),
    downloading: ({ href, variant }) => {
      for (const flight of this.flights.values()) {
        if (flight.options.url !== href || flight.options.variant !== variant) continue;
        if (!flight.headSent || flight.incoming === undefined || !flight.options.joinable) continue;
        const { receivedBytes, totalBytes } = flight;
        const bytesPerSecond = rateOf(flight, this.options.clock.nowMs());
        return { receivedBytes, totalBytes, bytesPerSecond };
      }
      return undefined;
    },
  };

  /** What the object server may show of our downloads (§6.3, §6.4). */
  readonly relays: Relays = {
    flight: (path) => this.findFlight((flight) => flight.options.path === path),
    object: (sha256) => this.findFlight((flight) => flight.expectedSha256 === sha256),
    finished: (path) => {
      const landed = this.landed.get(path);
      const query = { stale: true, ageMaxMs: undefined };
      return landed === undefined ? undefined : this.findCopy({ ...landed, ...query });
    },
  };

  async open(service: string, request: ResourceRequest): Promise<ResourceResponse> {
    const ask = normalise(service, request);
    const { signal } = request;
    if (signal?.aborted === true) throw cancelled();
    const trail = this.book.begin(ask);
    const answer = this.answer(ask, trail);
    answer.catch((error: unknown) => trail.failed(error));
    if (signal === undefined) return answer;
    return new Promise((resolve, reject) => {
      const cancel = () => {
        reject(cancelled());
        answer.then(({ body }) => body[Symbol.asyncIterator]().return?.(), noted);
      };
      signal.addEventListener('abort', cancel, { once: true });
      const over = () => signal.removeEventListener('abort', cancel);
      answer.then(resolve, reject).finally(over);
    });
  }

  /** @param alone our own copy turned out to be unreadable: neither it nor its followers will do */
  private async answer(ask: Ask, trail: Trail, alone = false): Promise<ResourceResponse> {
    let local = alone ? undefined : await this.findLocal(ask);
    if (local !== undefined && this.fresh(local, ask)) {
      const hit = await this.serveLocal(local, ask, 'hit', trail);
      if (hit !== undefined) return hit;
      local = undefined;
    }
    if (ask.method === 'HEAD') return this.options.fetch.head(ask);
    const open = joinable(ask) && !alone;
    const joined = open ? this.inProgress(ask) : undefined;
    if (joined !== undefined) {
      const head = await joined.head;
      if (joined.mayJoin(ask.startByte)) return this.follow(joined, head, ask, 'collapsed', trail);
    }
    const flight = this.takeOff(ask, local, open && joined === undefined, trail);
    const head = await flight.head;
    return this.follow(flight, head, ask, head.source, trail);
  }

  /** A download that this request may follow: one that knows no digest is checked on the way. */
  private inProgress(ask: Ask): Flight | undefined {
    const same = this.flights.get(ask.key);
    const whole = ask.startByte === 0 && ask.endByte === undefined;
    if (same !== undefined || ask.policy.digest === undefined || !whole) return same;
    return this.findFlight(({ options: { url, variant, digest } }) => {
      return url === ask.url && variant === ask.variant && digest === undefined;
    });
  }

  async route(host: string, port: number): Promise<{ addresses: string[]; port: number }> {
    this.options.fetch.demandInternet(host);
    return { addresses: await this.options.guard.resolve(host), port };
  }

  downloads(): DownloadStatus[] {
    const now = this.options.clock.nowMs();
    return [...this.flights.values()].map((flight) => downloadStatus(flight, now));
  }

  entries(): CacheEntryStatus[] {
    return [...this.options.store.entries()].map(entryStatus);
  }

  pin(url: string, pinned: boolean): Promise<number> {
    return this.options.store.pin(url, pinned);
  }

  purge(url: string): Promise<number> {
    return this.options.store.purge(url);
  }

  why(url: string | undefined): WhyRecord[] {
    return this.book.find(url);
  }

  status(): TransferStatus {
    const { objects, storedBytes, quotaBytes } = this.options.store;
    const counters = { ...this.counters.snapshot(), ...this.options.fetch.counters.snapshot() };
    return { objects, storedBytes, quotaBytes, counters };
  }

  private async findLocal(ask: Ask): Promise<Entry | undefined> {
    if (ask.personal) return undefined;
    const found = this.options.store.find(ask.url, ask.variant);
    // What another node fetched without TLS is only for those who verify it, here too (§7).
    const foreign = found !== undefined && found.signer !== this.options.nodeName;
    if (foreign && !isShareable(found.attestation.tls, ask.policy)) return undefined;
    if (found === undefined) return undefined;
    return (await this.digests.fits(found, ask.policy.digest)) ? found : undefined;
  }

  async lend(request: ResourceRequest): Promise<Loan | undefined> {
    const ask = normalise('', request);
    const entry = await this.findLocal(ask);
    const { store, clock } = this.options;
    const { counters } = this;
    return entry && lend(entry, ask, { store, counters, nowMs: clock.wallMs() });
  }

  private fresh(entry: Entry, ask: Ask): boolean {
    const now = this.options.clock.wallMs();
    return isFresh(entry.attestation, ask.headers, isImmutable(entry, ask), now);
  }

  /** Delivers from the store; `undefined` if the object turns out to be unreadable at once. */
  private async serveLocal(
    entry: Entry,
    ask: Ask,
    source: ResourceSource,
    trail: Trail,
  ): Promise<ResourceResponse | undefined> {
    const { store, logger } = this.options;
    const { sizeBytes } = entry.attestation;
    const end = ask.method === 'HEAD' ? 0 : Math.min(ask.endByte ?? sizeBytes, sizeBytes);
    const start = Math.min(ask.startByte, end);
    let reading: LocalReading;
    let bytes: AsyncGenerator<Buffer>;
    try {
      const hashes = await store.hashes(entry);
      bytes = store.read(entry, start, end, hashes);
      reading = { entry, ask, start, end, hashes, first: await bytes.next(), rest: bytes };
    } catch (error) {
      if (errorCode(error) !== 'E_OBJECT_CORRUPT')
        logger.log('warn', 'store-unreadable', { error });
      return undefined;
    }
    store.touch(entry);
    trail.answer(source, entry);
    this.counters.add(`requests-${source}`);
    this.counters.add('bytes-from-store', end - start);
    return this.respondFrom(entry, source, closing(this.mend(reading), bytes));
  }

  /** The rest of a local delivery; where a later piece is damaged, it continues from elsewhere. */
  private async *mend(reading: LocalReading): AsyncGenerator<Uint8Array> {
    const { first, rest } = reading;
    let at = reading.start;
    try {
      if (first.done === true) return;
      at += first.value.length;
      yield first.value;
      for await (const chunk of rest) {
        at += chunk.length;
        yield chunk;
      }
    } catch (error) {
      if (errorCode(error) !== 'E_OBJECT_CORRUPT') throw error;
      yield* this.replace(reading, at, error);
    } finally {
      await rest.return(undefined);
    }
  }

  /** The bytes from `at` on, fetched anew and checked against the piece hashes of the lost copy. */
  private async *replace(
    { entry, ask, end, hashes }: LocalReading,
    at: number,
    lost: unknown,
  ): AsyncGenerator<Uint8Array> {
    const { sizeBytes, sha256: hex } = entry.attestation;
    let piece = Math.floor(at / PIECE_BYTES);
    const wanted = Math.min(Math.ceil(end / PIECE_BYTES) * PIECE_BYTES, sizeBytes);
    const again = await this.open(ask.service, {
      url: ask.url,
      headers: ask.headers,
      policy: { ...ask.policy, digest: { algorithm: 'sha256', hex } },
      startByte: piece * PIECE_BYTES,
      lengthBytes: wanted - piece * PIECE_BYTES,
    });
    for await (const bytes of cutPieces(again.body as AsyncIterable<Buffer>)) {
      if (!isPiece(bytes, hashes, piece)) throw lost;
      const base = piece * PIECE_BYTES;
      piece += 1;
      yield bytes.subarray(Math.max(0, at - base), Math.min(bytes.length, end - base));
    }
    if (Math.min(piece * PIECE_BYTES, sizeBytes) < wanted) throw lost;
  }

  private respondFrom(
    entry: Entry,
    source: ResourceSource,
    body: AsyncIterable<Uint8Array>,
  ): ResourceResponse {
    const { status, sizeBytes, sha256 } = entry.attestation;
    const headers = deliveredHeaders(entry.attestation, this.options.clock.wallMs());
    return { status, headers: Object.entries(headers), source, sizeBytes, sha256, body };
  }

  /** @param open whether others may join it */
  private takeOff(ask: Ask, local: Entry | undefined, open: boolean, trail: Trail): Flight {
    if (this.flights.size >= FLIGHTS_MAX) {
      throw new CodedError('E_BUSY', `${FLIGHTS_MAX} downloads are in progress`, {
        action: 'ask again later',
      });
    }
    const { url, key, service, variant, policy } = ask;
    const startedAt = this.options.clock.nowMs();
    const path = this.options.flightPath(url, variant);
    const { digest } = policy;
    const about = { service, url, variant, key, digest, startedAt, path, joinable: open, trail };
    const flight = new Flight(about);
    this.soloFlights += 1;
    const name = open ? key : `${key} solo ${this.soloFlights}`;
    this.flights.set(name, flight);
    void this.options.fetch.run(flight, ask, local).finally(() => {
      this.flights.delete(name);
      trail.landed(flight.track.attestation);
      this.landed.set(path, { href: url, variant });
    });
    return flight;
  }

  private async follow(
    flight: Flight,
    head: FlightHead,
    ask: Ask,
    source: ResourceSource,
    trail: Trail,
  ): Promise<ResourceResponse> {
    if (flight.options.trail !== trail) trail.joins(flight.options.trail);
    if (head.entry !== undefined) {
      // A copy that was found good by its headers may still be damaged: it is dropped then.
      return (
        (await this.serveLocal(head.entry, ask, source, trail)) ?? this.answer(ask, trail, true)
      );
    }
    this.counters.add(`requests-${source}`);
    trail.answer(source);
    const bytes = flight.spool.read(ask.startByte, ask.endByte);
    const { digest } = ask.policy;
    const checked = digest === undefined || flight.options.digest !== undefined;
    const body = checked ? bytes : closing(checkDigest(bytes, digest, ask.url), bytes);
    const { status, sizeBytes, sha256, cookies = [] } = head;
    const set = cookies.map((value) => ['set-cookie', value] as const);
    const headers = [...Object.entries(head.headers), ...set];
    return { status, headers, source, sizeBytes, sha256, body };
  }

  private findFlight(fits: (flight: Flight) => boolean): Flight | undefined {
    for (const flight of this.flights.values()) {
      if (flight.options.joinable && fits(flight)) return flight;
    }
    return undefined;
  }

  private findCopy(query: CopyQuery): Copy | undefined {
    const entry = this.options.store.find(query.href, query.variant);
    if (entry === undefined || !entry.shareable) return undefined;
    const { sizeBytes, sha256, fetchedAt, expiresAt } = entry.attestation;
    const now = this.options.clock.wallMs();
    if (!query.stale && expiresAt <= now) return undefined;
    if (query.ageMaxMs !== undefined && now - fetchedAt > query.ageMaxMs) return undefined;
    const alias = `/o/${sha256}`;
    return { alias, sizeBytes, sha256, attestation: `/a/${entry.id}`, fetchedAt, expiresAt };
  }
}

function cancelled(): CodedError {
  return new CodedError('E_CANCELLED', 'the request was cancelled');
}

/** Nobody waits for this any more, and whoever caused it has said so. */
function noted(): void {}
