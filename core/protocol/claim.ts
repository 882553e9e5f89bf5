/**
 * The way to the Internet of one search (§5.3, §5.4): exactly one of those who want the same URL
 * goes, the others follow it.
 *
 *   waiting (rank × slot, or less the more bytes we have) ─► claimed (open to objection) ─► flying
 *      └───────────── somebody better claims ─────────────────────┘
 *
 * Better is: more verified pieces; with as many, whoever is further on its way to the Internet; of
 * equals the earlier in the order hash(URL, node). The provider of the service has the first turn, so it
 * is further on than those who wait for theirs. Invariants: the Internet is asked only after a
 * quiet time in which nobody better objected; who says anything worse to everybody is answered; of
 * two flights that meet one ends, never both: bytes are compared in whole pieces and only grow.
 */
import type { InstantMs } from '../base/time.js';
import type { Context } from './context.js';
import type { OriginReason } from './effect.js';
import {
  CLAIM_QUIET_MIN_MS,
  CLAIM_QUIET_ROUND_TRIPS,
  CLAIM_REPEATS_MS,
  CLAIM_SLOT_MIN_MS,
  CLAIM_SLOT_SLACK_MS,
  FLIGHT_STEP_BYTES,
  PROGRESS_INTERVAL_MS,
  TAKE_OVER_WAIT_MS,
} from './limits.js';
import type { Progress, Sender } from './message.js';
import type { Want } from './search.js';
import type { Sha256 } from './timing.js';

/** What a claim leads to at a moment. */
export type ClaimStep = 'wait' | 'fly';

/** How far a node is on its way to the Internet. */
const STAGES = ['waiting', 'claimed', 'flying'] as const;
type Stage = (typeof STAGES)[number];

export class Claim {
  readonly reason: OriginReason;
  private readonly context: Context;
  private readonly want: Want;
  private readonly id: number;
  private state: Stage = 'waiting';
  private repeats: number[] = [];
  private flyAt: InstantMs = 0;
  wakeAt: InstantMs;

  constructor(context: Context, now: InstantMs, id: number, want: Want, reason: OriginReason) {
    this.context = context;
    this.id = id;
    this.want = want;
    this.reason = reason;
    this.wakeAt = now + (reason === 'taken-over' ? this.takeOverWaitMs() : this.turnMs(now));
  }

  /** Goes to the Internet now, whoever else wants it, and says so. */
  fly(now: InstantMs): void {
    this.state = 'flying';
    this.repeats = CLAIM_REPEATS_MS.map((ageMs) => now + ageMs);
    this.say();
    this.wakeAt = this.nextWake(now);
  }

  /** Says what is due; `fly` once, when the Internet may be asked. */
  wake(now: InstantMs): ClaimStep {
    if (now < this.wakeAt) return 'wait';
    if (this.state === 'waiting') {
      this.state = 'claimed';
      this.flyAt = now + this.quietMs();
      this.repeats = CLAIM_REPEATS_MS.map((ageMs) => now + ageMs);
      this.say();
    } else if (this.repeats[0] !== undefined && now >= this.repeats[0]) {
      this.repeats.shift();
      this.say();
    } else if (this.state === 'flying' && this.repeats.length === 0) this.say();
    const flies = this.state === 'claimed' && now >= this.flyAt;
    if (flies) this.state = 'flying';
    this.wakeAt = this.nextWake(now);
    return flies ? 'fly' : 'wait';
  }

  /**
   * Somebody else's progress for the same resource.
   * @param willing whether this node may wait for others at all (§5.2)
   * @returns whether we are to follow it
   */
  heard(from: Sender, progress: Progress, willing: boolean): boolean {
    if (willing && this.isBetter(from, progress)) return true;
    // Only what is said to everybody is answered, or two of one mind would answer for ever.
    if (this.announced && progress.to === undefined) this.say(from);
    return false;
  }

  /** Tells a newcomer, or everybody, that we are (about to be) downloading. */
  say(to?: Sender): void {
    const message = this.progress(false);
    if (to === undefined) return this.context.emit({ kind: 'broadcast', message });
    const introduce = !(this.context.members.get(to.kid)?.acquainted ?? false);
    this.context.emit({
      kind: 'send',
      to: to.address,
      introduce,
      message: { ...message, to: to.kid },
    });
  }

  /** Tells everybody that the flight is over without its bytes. */
  abort(): void {
    if (this.state !== 'waiting')
      this.context.emit({ kind: 'broadcast', message: this.progress(true) });
  }

  /** Whether others were told that we are downloading. */
  get announced(): boolean {
    return this.state !== 'waiting';
  }

  /** Whether its bytes have begun to come. */
  get begun(): boolean {
    return this.context.options.copies.downloading(this.query()) !== undefined;
  }

  private isBetter(from: Sender, progress: Progress): boolean {
    const ahead = piecesOf(progress.receivedBytes) - piecesOf(this.receivedBytes());
    if (ahead !== 0) return ahead > 0;
    const stage: Stage = progress.claim === true ? 'claimed' : 'flying';
    if (stage !== this.state) return STAGES.indexOf(stage) > STAGES.indexOf(this.state);
    // By the URL alone: who the provider is, two nodes may see differently, and follow each other.
    const { crowds, options } = this.context;
    return crowds.order(this.want.href, from.kid) < crowds.order(this.want.href, options.kid);
  }

  private receivedBytes(): number {
    return this.context.options.copies.downloading(this.query())?.receivedBytes ?? 0;
  }

  private query() {
    const { href, variant } = this.want;
    return { href, variant, stale: false, ageMaxMs: undefined };
  }

  /** Each next in the order waits one slot longer. */
  private turnMs(now: InstantMs): number {
    const { crowds, options, roundTrip } = this.context;
    const slotMs = Math.max(CLAIM_SLOT_MIN_MS, roundTrip.cautiousMs + CLAIM_SLOT_SLACK_MS);
    const first = this.context.designated(this.want.service);
    return crowds.rank(now, this.want.href, options.kid, first) * slotMs;
  }

  /** The more bytes we have, the sooner; equals in the order of the URL (§5.4). */
  private takeOverWaitMs(): number {
    const { crowds, options } = this.context;
    const own = options.copies.downloading(this.query());
    const missing =
      own?.totalBytes === undefined ? 1 : 1 - own.receivedBytes / Math.max(1, own.totalBytes);
    return (
      missing * TAKE_OVER_WAIT_MS + crowds.order(this.want.href, options.kid) * CLAIM_SLOT_MIN_MS
    );
  }

  private quietMs(): number {
    return Math.max(
      CLAIM_QUIET_MIN_MS,
      CLAIM_QUIET_ROUND_TRIPS * this.context.roundTrip.estimateMs,
    );
  }

  private nextWake(now: InstantMs): InstantMs {
    const repeatAt =
      this.repeats[0] ?? (this.state === 'flying' ? now + PROGRESS_INTERVAL_MS : Infinity);
    return this.state === 'claimed' ? Math.min(this.flyAt, repeatAt) : repeatAt;
  }

  private progress(aborted: boolean): Progress {
    const { href, variant, service } = this.want;
    const { sha256, boot } = this.context.options;
    const own = this.context.options.copies.downloading(this.query());
    const total = own?.totalBytes === undefined ? {} : { totalBytes: own.totalBytes };
    const claim = this.state === 'claimed' ? { claim: true } : {};
    return {
      type: 'progress',
      service,
      id: this.id,
      href,
      variant,
      flight: flightPath(sha256, boot, href, variant),
      receivedBytes: own?.receivedBytes ?? 0,
      bytesPerSecond: own?.bytesPerSecond ?? 0,
      aborted,
      ...claim,
      ...total,
    };
  }
}

function piecesOf(bytes: number): number {
  return Math.floor(bytes / FLIGHT_STEP_BYTES);
}

/** The path of a node's flight of a resource: derived, so that it needs no table. */
export function flightPath(sha256: Sha256, boot: string, href: string, variant: string): string {
  const hash = sha256(`${href}|${variant}|${boot}`);
  return `/f/${[...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** §5.2: can and will this want wait for that download? By the downloader's own estimate. */
export function mayWait(
  { waitMaxMs }: Want,
  { receivedBytes, totalBytes, bytesPerSecond }: Progress,
): boolean {
  if (waitMaxMs <= 0) return false;
  if (totalBytes === undefined || bytesPerSecond <= 0) return true;
  return ((totalBytes - receivedBytes) / bytesPerSecond) * 1000 <= waitMaxMs;
}
