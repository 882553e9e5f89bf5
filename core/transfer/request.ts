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
import type { Logger } from '../ports/log.js';
import type {
  CacheEntryStatus,
  ContentTransfer,
  DownloadStatus,
  TransferStatus,
} from '../ports/ports.js';
import type { Copies, CopyQuery } from '../protocol/context.js';
import type { Copy } from '../protocol/message.js';
import { type Ask, normalise } from './ask.js';
import type { Entry } from './catalogue.js';
import { type Fetch, RANGE_DIRECT_BYTES } from './fetch.js';
import { Flight, type FlightHead } from './flight.js';
import { isFresh } from './freshness.js';
import type { AddressGuard } from './guard.js';
import type { Relays } from './serve.js';
import type { ObjectStore } from './store.js';

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
}

export class RequestPath implements ContentTransfer {
  readonly counters = new Counters();
  private soloFlights = 0;
  private readonly landed = new BoundedMap<
    string,
    { readonly href: string; readonly variant: string }
  >(FLIGHTS_MAX);
  private readonly options: RequestOptions;
  private readonly flights = new Map<string, Flight>();

  constructor(options: RequestOptions) {
    this.options = options;
  }

  /** What peers may be told of our store (§3.1). */
  readonly copies: Copies = {
    find: (query) => this.findCopy(query),
    downloading: ({ href, variant }) => {
      for (const flight of this.flights.values()) {
        if (flight.options.url !== href || flight.options.variant !== variant) continue;
        if (!flight.headSent || flight.incoming === undefined || !flight.options.joinable) continue;
        const { receivedBytes, totalBytes } = flight;
        return { receivedBytes, totalBytes, bytesPerSecond: this.rate(flight) };
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
    if (request.signal?.aborted === true)
      throw new CodedError('E_CANCELLED', 'the request was cancelled');
    const local = this.findLocal(ask);
    if (local !== undefined && this.fresh(local, ask)) {
      const hit = await this.serveLocal(local, ask, 'hit');
      if (hit !== undefined) return hit;
    }
    if (ask.method === 'HEAD') return this.options.fetch.head(ask);
    const joined = joinable(ask) ? this.flights.get(ask.key) : undefined;
    const flight = joined ?? this.takeOff(ask, local);
    return this.follow(flight, ask, joined !== undefined);
  }

  async route(host: string, port: number): Promise<{ addresses: string[]; port: number }> {
    return { addresses: await this.options.guard.resolve(host), port };
  }

  downloads(): DownloadStatus[] {
    const now = this.options.clock.nowMs();
    return [...this.flights.values()].map((flight) => ({
      url: flight.options.url,
      service: flight.options.service,
      source: flight.source,
      from: flight.from,
      receivedBytes: flight.receivedBytes,
      totalBytes: flight.totalBytes,
      bytesPerSecond: this.rate(flight),
      startedMsAgo: Math.round(now - flight.options.startedAt),
    }));
  }

  entries(): CacheEntryStatus[] {
    return [...this.options.store.entries()].map(({ attestation, pinned, signer }) => ({
      url: attestation.url,
      variant: attestation.variant,
      sizeBytes: attestation.sizeBytes,
      sha256: attestation.sha256,
      fetchedAt: new Date(attestation.fetchedAt).toISOString(),
      expiresAt: new Date(attestation.expiresAt).toISOString(),
      fetchedBy: signer,
      pinned,
    }));
  }

  pin(url: string, pinned: boolean): Promise<number> {
    return this.options.store.pin(url, pinned);
  }

  purge(url: string): Promise<number> {
    return this.options.store.purge(url);
  }

  status(): TransferStatus {
    const { objects, storedBytes, quotaBytes } = this.options.store;
    const counters = { ...this.counters.snapshot(), ...this.options.fetch.counters.snapshot() };
    return { objects, storedBytes, quotaBytes, counters };
  }

  private findLocal(ask: Ask): Entry | undefined {
    if (ask.personal) return undefined;
    const { store } = this.options;
    const found = store.find(ask.url, ask.variant);
    const { digest } = ask.policy;
    if (digest?.algorithm !== 'sha256') return found;
    return found?.attestation.sha256 === digest.hex ? found : undefined;
  }

  private fresh(entry: Entry, ask: Ask): boolean {
    const { digest } = ask.policy;
    const known = digest?.algorithm === 'sha256' && digest.hex === entry.attestation.sha256;
    const immutable = known || entry.immutable || ask.policy.immutable === true;
    return isFresh(entry.attestation, ask.headers, immutable, this.options.clock.wallMs());
  }

  /** Delivers from the store; `undefined` if the object turns out to be damaged at once. */
  private async serveLocal(
    entry: Entry,
    ask: Ask,
    source: ResourceSource,
  ): Promise<ResourceResponse | undefined> {
    const { store } = this.options;
    const { sizeBytes } = entry.attestation;
    const end = Math.min(ask.endByte ?? sizeBytes, sizeBytes);
    const bytes = store.read(entry, Math.min(ask.startByte, end), end);
    let first: IteratorResult<Buffer>;
    try {
      first = await bytes.next();
    } catch (error) {
      if (errorCode(error) === 'E_OBJECT_CORRUPT') return undefined;
      throw error;
    }
    store.touch(entry);
    this.counters.add(`requests-${source}`);
    this.counters.add('bytes-from-store', end - ask.startByte);
    const body = this.mend(entry, ask, end, first, bytes);
    return this.respondFrom(entry, source, body);
  }

  /**
   * The rest of a local delivery; where a later piece is damaged, it continues from elsewhere. An
   * iterator of its own rather than a generator: closing it must close the file also before its
   * first step.
   */
  private mend(
    entry: Entry,
    ask: Ask,
    end: number,
    first: IteratorResult<Buffer>,
    rest: AsyncGenerator<Buffer>,
  ): AsyncIterableIterator<Uint8Array> {
    let at = ask.startByte;
    let ahead: IteratorResult<Uint8Array> | undefined = first;
    let source: AsyncIterator<Uint8Array> = rest;
    const step = async (): Promise<IteratorResult<Uint8Array>> => {
      const result = ahead ?? (await source.next());
      ahead = undefined;
      if (result.done !== true) at += result.value.length;
      return result;
    };
    const iterator: AsyncIterableIterator<Uint8Array> = {
      next: () =>
        step().catch(async (error: unknown) => {
          if (errorCode(error) !== 'E_OBJECT_CORRUPT' || source !== rest) throw error;
          source = await this.continueElsewhere(entry, ask, at, end, error);
          return step();
        }),
      return: async () => {
        await source.return?.(undefined);
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  private async continueElsewhere(
    { attestation }: Entry,
    ask: Ask,
    at: number,
    end: number,
    error: unknown,
  ): Promise<AsyncIterator<Uint8Array>> {
    const digest = { algorithm: 'sha256', hex: attestation.sha256 } as const;
    const again = await this.open(ask.service, {
      url: ask.url,
      headers: ask.headers,
      policy: { ...ask.policy, digest },
      startByte: at,
      lengthBytes: end - at,
    });
    if (again.sizeBytes !== attestation.sizeBytes) throw error;
    return again.body[Symbol.asyncIterator]();
  }

  private respondFrom(
    entry: Entry,
    source: ResourceSource,
    body: AsyncIterable<Uint8Array>,
  ): ResourceResponse {
    const { status, headers, sizeBytes, sha256, fetchedAt } = entry.attestation;
    const here = Math.floor((this.options.clock.wallMs() - fetchedAt) / 1000);
    const ageSeconds = Math.max(0, here) + Math.max(0, Number(headers['age'] ?? 0) || 0);
    const aged = { ...headers, age: String(ageSeconds) };
    return { status, headers: Object.entries(aged), source, sizeBytes, sha256, body };
  }

  private takeOff(ask: Ask, local: Entry | undefined): Flight {
    if (this.flights.size >= FLIGHTS_MAX) {
      throw new CodedError('E_BUSY', `${FLIGHTS_MAX} downloads are in progress`, {
        action: 'ask again later',
      });
    }
    const { url, key, service, variant, policy } = ask;
    const startedAt = this.options.clock.nowMs();
    const path = this.options.flightPath(url, variant);
    const { digest } = policy;
    const shared = joinable(ask);
    const about = { service, url, variant, key, digest, startedAt, path, joinable: shared };
    const flight = new Flight(about);
    this.soloFlights += 1;
    const name = shared ? key : `${key} solo ${this.soloFlights}`;
    this.flights.set(name, flight);
    void this.options.fetch.run(flight, ask, local).finally(() => {
      this.flights.delete(name);
      this.landed.set(path, { href: url, variant });
    });
    return flight;
  }

  private async follow(flight: Flight, ask: Ask, joined: boolean): Promise<ResourceResponse> {
    const head: FlightHead = await flight.head;
    const source = joined ? 'collapsed' : head.source;
    this.counters.add(`requests-${source}`);
    if (head.entry !== undefined) {
      const local = await this.serveLocal(head.entry, ask, source);
      if (local !== undefined) return local;
      throw new CodedError('E_OBJECT_CORRUPT', 'the stored copy was damaged', {
        action: 'ask again',
      });
    }
    const body = flight.spool.read(ask.startByte, ask.endByte);
    const { status, headers, sizeBytes, sha256 } = head;
    return { status, headers: Object.entries(headers), source, sizeBytes, sha256, body };
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

  private rate(flight: Flight): number {
    const elapsedMs = Math.max(1, this.options.clock.nowMs() - flight.options.startedAt);
    return Math.round((flight.receivedBytes * 1000) / elapsedMs);
  }
}

/** Whether others may share the download that this request starts, or it theirs. */
function joinable(ask: Ask): boolean {
  return !ask.personal && ask.startByte < RANGE_DIRECT_BYTES;
}
