/**
 * The book of why: one trail for each request, written by the request path as it goes, read by
 * `peerage why`. Invariants: the book and every list in a trail are bounded; a trail keeps no
 * reference to a download that is over.
 */
import { describeError, errorCode, type ResourceSource } from '@peerage/sdk';
import { BoundedMap } from '../base/bounded.js';
import type { Clock, InstantMs } from '../base/time.js';
import type { LanAnswer, Provenance, SearchWitness, TriedSource, WhyRecord } from '../ports/why.js';
import type { Source } from '../protocol/effect.js';
import type { RetrievalResult } from '../protocol/retrieval.js';
import type { SignedAttestation } from '../trust/attestation.js';

/** Requests remembered: about 2 MB of records. */
const TRAILS_MAX = 1000;
/** Records shown for one URL. */
const SHOWN_MAX = 50;
/** Entries of each list in a record: a LAN of hundreds may answer. */
const LIST_MAX = 64;

interface Asked {
  readonly url: string;
  readonly service: string;
  /** For one client alone: its query may be a secret. */
  readonly personal: boolean;
}

type Signed = Pick<SignedAttestation, 'attestation' | 'signer'>;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** `yielded`: our own flight gave way to a better one. */
type Attempt = RetrievalResult | 'yielded';

/** What happens to one request. */
export class Trail implements SearchWitness {
  private readonly record: Omit<Mutable<WhyRecord>, 'asked' | 'answers' | 'tried' | 'bytes'>;
  private readonly clock: Clock;
  private readonly startedAt: InstantMs;
  private askedAt: InstantMs;
  private readonly asks: string[] = [];
  private readonly answers: LanAnswer[] = [];
  private readonly tries: Mutable<TriedSource>[] = [];
  private readonly bytes = new BoundedMap<string, number>(LIST_MAX);

  constructor(id: number, { url: asked, service, personal }: Asked, clock: Clock) {
    this.clock = clock;
    this.startedAt = clock.nowMs();
    this.askedAt = this.startedAt;
    const url = personal ? asked.replace(/\?.*$/, '') : asked;
    const open = { source: undefined, answeredMs: undefined, completeMs: undefined };
    const none = { joined: undefined, internet: undefined, provenance: undefined };
    const askedAt = new Date(clock.wallMs()).toISOString();
    this.record = { id, url, service, askedAt, ...open, ...none, error: undefined };
  }

  get id(): number {
    return this.record.id;
  }

  get url(): string {
    return this.record.url;
  }

  asked(node: string): void {
    this.askedAt = this.clock.nowMs();
    if (this.asks.length < LIST_MAX && !this.asks.includes(node)) this.asks.push(node);
  }

  answered(node: string, answer: LanAnswer['answer']): void {
    const known = this.answers.some((one) => one.node === node && one.answer === answer);
    if (known || this.answers.length >= LIST_MAX) return;
    const afterMs = rounded(this.clock.nowMs() - this.askedAt);
    this.answers.push({ node, answer, afterMs });
  }

  /** Tries a source and writes down how it went. */
  async trying(source: Source, attempt: () => Promise<Attempt>): Promise<Attempt> {
    const { kind } = source;
    const from = kind === 'origin' ? new URL(this.url).host : source.name;
    if (kind === 'origin') this.record.internet = source.reason;
    const tried: Mutable<TriedSource> = { kind, from, result: undefined, why: undefined };
    if (this.tries.length < LIST_MAX) this.tries.push(tried);
    try {
      tried.result = await attempt();
      return tried.result;
    } catch (error) {
      tried.result = 'error';
      tried.why = describeError(error);
      throw error;
    }
  }

  /** Why the source that is being tried does not do. */
  because(why: string): void {
    const last = this.tries.at(-1);
    if (last !== undefined) last.why = why;
  }

  came(from: string, sizeBytes: number): void {
    this.bytes.set(from, (this.bytes.get(from) ?? 0) + sizeBytes);
  }

  /** The request shares the download of an earlier one. */
  joins(other: Trail | undefined): void {
    this.record.joined = other?.id;
  }

  /** The head is there. */
  answer(source: ResourceSource, copy?: Signed): void {
    this.record.source = source;
    this.record.answeredMs ??= this.sinceStart();
    if (copy !== undefined) this.record.provenance = provenance(copy);
  }

  /** All bytes are there, or will not come. */
  landed(copy: Signed | undefined): void {
    this.record.completeMs = this.sinceStart();
    if (copy !== undefined) this.record.provenance = provenance(copy);
  }

  failed(error: unknown): void {
    this.record.source = 'failed';
    this.record.error = { code: errorCode(error), message: describeError(error) };
  }

  show(): WhyRecord {
    return {
      ...this.record,
      asked: this.asks,
      answers: this.answers,
      tried: this.tries,
      bytes: [...this.bytes].map(([from, sizeBytes]) => ({ from, sizeBytes })),
    };
  }

  private sinceStart(): number {
    return rounded(this.clock.nowMs() - this.startedAt);
  }
}

/** The trails of the last requests. */
export class WhyBook {
  private readonly trails = new BoundedMap<number, Trail>(TRAILS_MAX);
  private readonly clock: Clock;
  private last = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  begin(asked: Asked): Trail {
    this.last += 1;
    const trail = new Trail(this.last, asked, this.clock);
    this.trails.set(trail.id, trail);
    return trail;
  }

  /** The records of a URL, of every URL without one; newest first. */
  find(url: string | undefined): WhyRecord[] {
    const all = [...this.trails.values()].filter((trail) => url === undefined || trail.url === url);
    return all
      .slice(-SHOWN_MAX)
      .reverse()
      .map((trail) => trail.show());
  }
}

function provenance({ signer, attestation }: Signed): Provenance {
  const { sha256, sizeBytes, after: continued = [] } = attestation;
  const fetchedAt = new Date(attestation.fetchedAt).toISOString();
  return { fetchedBy: signer, fetchedAt, continued, sha256, sizeBytes };
}

const rounded = (ms: number): number => Math.round(ms * 10) / 10;
