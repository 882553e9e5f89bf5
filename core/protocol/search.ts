/**
 * The client's side of one want (§4): one instance per request, any number at once.
 *
 *   counting ─► asking candidates ─► broadcast round ─► claiming ─► origin
 *                      └───────┬───────────┴─┐  ▲          │ ▲        │
 *                              ▼             ▼  │          ▼ │        │
 *                          retrieving ◄── somebody is downloading     ▼
 *                              └─────────(source failed)─┘ └────► settled
 *
 * A node without Internet watches instead of claiming: others that want it too will claim it.
 *
 * Invariants: exactly one `retrieve` is outstanding at a time, except that a better flight, or a copy
 * offered late, takes the place of our own flight (§5.3), and exactly one `settle` ends the
 * search; a settled search lingers until its deadline, to repeat "I found" to holders that missed
 * it; a source that failed is not used again; the round's deadline is never moved by what is heard.
 */
import type { InstantMs } from '../base/time.js';
import { askAll, askOne, sayFound } from './asking.js';
import { Candidates } from './candidates.js';
import { Claim, mayWait } from './claim.js';
import { type Context, drawNonce } from './context.js';
import type { FlightSource, OriginReason, PeerSource } from './effect.js';
import {
  CLASSIC_DEADLINE_MS,
  CLASSIC_WINDOW_MS,
  END_REPEAT_MS,
  PATIENCE_MS,
  REQUEST_REPEATS_MS,
  SPARE_SOURCES_MAX,
} from './limits.js';
import type { Progress, Response, Sender } from './message.js';
import type { RetrievalResult } from './retrieval.js';
import { deadlineMs, directedWaitMs, responseWindowMs } from './timing.js';
import { Watch } from './watch.js';

/** A URL that somebody on this node needs. */
export interface Want {
  readonly service: string;
  readonly href: string;
  readonly variant: string;
  readonly stale: boolean;
  readonly ageMaxMs?: number;
  /** How long a download of somebody else's may be waited for, in milliseconds (§5.2). */
  readonly waitMaxMs: number;
}

type State =
  | 'counting'
  | 'directed'
  | 'broadcast'
  | 'retrieving'
  | 'claiming'
  | 'watching'
  | 'origin'
  | 'settled';

export class Search {
  readonly id: number;
  readonly want: Want;
  private readonly context: Context;
  readonly nonce: string;
  private state: State = 'counting';
  private candidates: Candidates | undefined;
  private askedAt: InstantMs = 0;
  /** Whether the round was prolonged for candidates that are late. */
  private patient = false;
  private askedTwice = false;
  private broadcastAt: InstantMs | undefined;
  private deadlineAt: InstantMs = 0;
  private repeats: number[] = [];
  private claim: Claim | undefined;
  private watch: Watch | undefined;
  private chosen: PeerSource | FlightSource | undefined;
  private spares: PeerSource[] = [];
  private readonly failed = new Set<string>();
  private endSaidAt: InstantMs | undefined;
  wakeAt: InstantMs | undefined;

  constructor(context: Context, id: number, want: Want) {
    this.context = context;
    this.id = id;
    this.want = want;
    this.nonce = drawNonce(context.options.random);
  }

  /** Whether it may be forgotten: settled, and nobody still needs to hear "I found" again. */
  get over(): boolean {
    return this.state === 'settled' && this.wakeAt === undefined;
  }

  /** Begins, or waits for the opening count (§4.3). */
  start(now: InstantMs, countedAt: InstantMs): void {
    if (!this.context.options.client) return this.goToOrigin('role-server');
    if (!this.context.members.counted && now < countedAt) {
      this.wakeAt = countedAt;
      return;
    }
    if (this.isAlone) return this.fly(now, 'alone');
    if (this.context.options.profile === 'classic') return this.broadcast(now);
    this.candidates = new Candidates(this.context, now, this.id, this.want);
    this.askNext(now);
  }

  wake(now: InstantMs): void {
    if (this.wakeAt === undefined || now < this.wakeAt) return;
    if (this.state === 'counting') this.start(now, now);
    else if (this.state === 'directed') this.askNext(now);
    else if (this.state === 'broadcast') this.tickBroadcast(now);
    else if (this.watch !== undefined && this.state === 'watching') this.tickWatch(now, this.watch);
    else if (this.claim !== undefined && this.state !== 'settled') this.tickClaim(now, this.claim);
    else this.wakeAt = undefined;
  }

  /** "I have", or "none" (§4.5). */
  responded(now: InstantMs, from: Sender, response: Response): void {
    if (response.nonce !== this.nonce) return;
    this.candidates?.answered(from.kid, response.copy !== undefined || !this.patient);
    if (this.state === 'settled') return this.repeatEnd(now);
    this.measure(now, from, response);
    if (response.copy === undefined) return this.saidNone(now, from.kid);
    if (this.failed.has(from.name) || this.context.bans.holds(from.name, now)) return;
    const source: PeerSource = {
      kind: 'peer',
      kid: from.kid,
      name: from.name,
      address: from.address,
      port: from.port,
      copy: response.copy,
    };
    this.context.hints.add(this.want.href, from.kid);
    // An offer that was late is better than a flight that has brought nothing yet.
    const barely = this.state === 'origin' && this.claim?.begun === false;
    if (this.searching || this.state === 'claiming' || barely) return this.take(now, source);
    this.keepSpare(source);
    this.repeatEnd(now);
  }

  /** A peer says that it is downloading it, or about to (§5.2, §5.3). */
  progressed(now: InstantMs, from: Sender, progress: Progress): void {
    if (
      this.state === 'settled' ||
      this.failed.has(from.name) ||
      this.context.bans.holds(from.name, now)
    )
      return;
    this.candidates?.answered(from.kid, !progress.aborted || !this.patient);
    if (progress.aborted) {
      this.context.hints.remove(this.want.href, from.kid);
      return this.noneLate(now);
    }
    this.context.hints.add(this.want.href, from.kid);
    const willing = mayWait(this.want, progress);
    const yields = this.claim?.heard(from, progress, willing) ?? false;
    if (yields || (willing && this.searching)) return this.follow(now, from, progress);
    this.noneLate(now);
  }

  /** Looks for a source, and takes the first one. */
  private get searching(): boolean {
    return this.state === 'directed' || this.state === 'broadcast' || this.state === 'watching';
  }

  /** Whether this node has told others that it is downloading (§3.4). */
  get flight(): Claim | undefined {
    return this.claim?.announced === true && this.state !== 'settled' ? this.claim : undefined;
  }

  /** The shell's report on the outstanding `retrieve`. */
  retrieved(now: InstantMs, result: RetrievalResult): void {
    if (this.state !== 'retrieving' && this.state !== 'origin') return;
    const ok = result === 'ok';
    if (ok || this.state === 'origin') return this.settle(now, ok);
    if (result === 'unshareable') return this.goToOrigin('unshared');
    const lost = this.chosen;
    if (lost !== undefined) {
      this.failed.add(lost.name);
      this.context.hints.remove(this.want.href, lost.kid);
    }
    const spare = this.spares.shift();
    if (spare !== undefined) return this.take(now, spare);
    if (lost?.kind === 'flight') return this.goToInternet(now, 'taken-over');
    if (this.broadcastAt === undefined && this.context.members.size > 0) return this.broadcast(now);
    this.goToInternet(now, 'sources-failed');
  }

  /** Nobody needs it any more. */
  cancel(): void {
    if (this.broadcastAt !== undefined && this.endSaidAt === undefined)
      sayFound(this.context, this, undefined);
    this.flight?.abort();
    this.state = 'settled';
    this.wakeAt = undefined;
  }

  private askNext(now: InstantMs): void {
    const member = this.candidates?.next();
    if (member === undefined) return this.broadcast(now);
    this.state = 'directed';
    this.askedAt = now;
    this.wakeAt = now + directedWaitMs(this.context.roundTrip.cautiousMs);
    askOne(this.context, this, member);
  }

  private saidNone(now: InstantMs, kid: string): void {
    this.context.hints.remove(this.want.href, kid);
    const { candidates } = this;
    if (this.state !== 'directed' || candidates?.isAsked(kid) !== true) return this.noneLate(now);
    candidates.explicitNone = true;
    this.askNext(now);
  }

  private broadcast(now: InstantMs): void {
    const { roundTrip, members, options } = this.context;
    const classic = options.profile === 'classic';
    const windowMs = classic
      ? CLASSIC_WINDOW_MS
      : responseWindowMs(roundTrip.estimateMs, members.peers);
    const waitMs = classic ? CLASSIC_DEADLINE_MS : deadlineMs(windowMs, roundTrip.cautiousMs);
    this.state = 'broadcast';
    this.patient = false;
    this.broadcastAt = now;
    this.askedAt = now;
    this.deadlineAt = now + waitMs;
    this.repeats = classic ? [] : REQUEST_REPEATS_MS.map((ageMs) => now + ageMs);
    this.context.counters.add('requests-broadcast');
    this.sayRequest(windowMs);
  }

  private sayRequest(windowMs: number): void {
    askAll(this.context, this, windowMs);
    this.wakeAt = Math.min(this.deadlineAt, this.repeats[0] ?? this.deadlineAt);
  }

  private tickBroadcast(now: InstantMs): void {
    if (now >= this.deadlineAt) {
      if (!this.askAgain(now)) this.miss(now);
      return;
    }
    this.repeats.shift();
    const { roundTrip, members } = this.context;
    this.sayRequest(responseWindowMs(roundTrip.estimateMs, members.peers));
  }

  /**
   * A candidate that has answered nothing at all is asked once more and waited for: it may be fetching
   * it just now, and only late (§4.2).
   */
  private askAgain(now: InstantMs): boolean {
    const waitMs = Math.min(PATIENCE_MS, this.want.waitMaxMs);
    const late = this.patient || waitMs <= 0 ? [] : (this.candidates?.late() ?? []);
    if (late.length === 0) return false;
    this.patient = true;
    for (const member of late) askOne(this.context, this, member);
    this.context.counters.add('candidates-late');
    this.deadlineAt = now + waitMs;
    this.wakeAt = this.deadlineAt;
    return true;
  }

  /** Nobody is left to be patient with. */
  private noneLate(now: InstantMs): void {
    if (this.patient && this.state === 'broadcast' && this.candidates?.late().length === 0)
      this.miss(now);
  }

  private miss(now: InstantMs): void {
    this.candidates?.givenUp();
    const reason = this.candidates?.explicitNone === true ? 'all-said-none' : 'nobody-answered';
    this.goToInternet(now, reason);
  }

  private follow(now: InstantMs, from: Sender, progress: Progress): void {
    const { kid, name, address, port } = from;
    this.context.counters.add('flights-followed');
    this.take(now, { kind: 'flight', kid, name, address, port, flight: progress.flight });
  }

  /** To the Internet, but only one of all who want it (§5.3). */
  private goToInternet(now: InstantMs, reason: OriginReason): void {
    const { options, members } = this.context;
    if (this.isAlone || this.want.waitMaxMs <= 0) return this.fly(now, reason);
    this.chosen = undefined;
    if (!options.internet || !options.server) {
      const provider = this.context.provider(this.want.service);
      const able = provider !== undefined && members.get(provider)?.internet === true;
      if (!options.internet && able) return this.goToOrigin(reason, true);
      this.state = 'watching';
      this.watch = new Watch(this.context, now, this.want.href, reason);
      return this.tickWatch(now, this.watch);
    }
    this.state = 'claiming';
    this.claim = new Claim(this.context, now, this.id, this.want, reason);
    this.wakeAt = this.claim.wakeAt;
    if (this.wakeAt <= now) this.tickClaim(now, this.claim);
  }

  /** To the Internet without waiting for anybody; others may follow all the same. */
  private fly(now: InstantMs, reason: OriginReason): void {
    const { peering, internet, server } = this.context.options;
    this.goToOrigin(reason);
    if (!peering || !internet || !server) return;
    this.claim = new Claim(this.context, now, this.id, this.want, reason);
    this.claim.fly(now);
    this.wakeAt = this.claim.wakeAt;
  }

  /** Without a way of its own a node asks everybody once more before it gives up. */
  private tickWatch(now: InstantMs, watch: Watch): void {
    this.wakeAt = watch.until;
    if (now < watch.until) return;
    const hasWay = this.context.options.internet;
    if (hasWay || this.askedTwice || watch.isLongAt(now)) return this.goToOrigin(watch.reason);
    this.askedTwice = true;
    this.broadcast(now);
  }

  /** With nobody to ask; who has no other way than the others asks all the same: they may be late. */
  private get isAlone(): boolean {
    const { members, options } = this.context;
    const { internet, peering, profile } = options;
    return members.size === 0 && (internet || !peering || profile === 'classic');
  }

  private tickClaim(now: InstantMs, claim: Claim): void {
    const flies = claim.wake(now) === 'fly';
    if (flies) this.goToOrigin(claim.reason);
    this.wakeAt = claim.wakeAt;
  }

  private take(now: InstantMs, source: PeerSource | FlightSource): void {
    const late = source.kind === 'peer' && this.endSaidAt === undefined;
    const first = this.state === 'broadcast' || (late && this.broadcastAt !== undefined);
    this.claim = undefined;
    this.state = 'retrieving';
    this.chosen = source;
    this.wakeAt = undefined;
    if (first) {
      sayFound(this.context, this, source.kid);
      this.endSaidAt = now;
    }
    this.context.emit({ kind: 'retrieve', want: this.id, source });
  }

  private keepSpare(source: PeerSource): void {
    const known = this.spares.some((spare) => spare.kid === source.kid);
    if (known || source.kid === this.chosen?.kid || this.spares.length >= SPARE_SOURCES_MAX) return;
    this.spares.push(source);
  }

  /** A further response shows that "I found" was missed by somebody (§4.4). */
  private repeatEnd(now: InstantMs): void {
    if (this.endSaidAt === undefined || now - this.endSaidAt < END_REPEAT_MS) return;
    if (this.context.options.profile === 'classic') return;
    sayFound(this.context, this, this.chosen?.kid);
    this.endSaidAt = now;
  }

  private goToOrigin(reason: OriginReason, byProvider = false): void {
    this.claim = this.claim?.announced === true ? this.claim : undefined;
    this.state = 'origin';
    this.chosen = undefined;
    this.wakeAt = undefined;
    this.context.counters.add(`origin-${reason}`);
    const source = { kind: 'origin', reason, ...(byProvider ? { byProvider } : {}) } as const;
    this.context.emit({ kind: 'retrieve', want: this.id, source });
  }

  private settle(now: InstantMs, ok: boolean): void {
    if (!ok) this.flight?.abort();
    this.state = 'settled';
    this.wakeAt =
      this.endSaidAt !== undefined && now < this.deadlineAt ? this.deadlineAt : undefined;
    this.context.emit({ kind: 'settle', want: this.id, ok });
  }

  /** Round trip = time until the answer came, less what the responder waited on purpose. */
  private measure(now: InstantMs, from: Sender, response: Response): void {
    const directed = this.candidates?.isAsked(from.kid) === true;
    // Late answers, to whichever of two questions, say nothing of the LAN.
    if (this.patient || (!directed && this.broadcastAt === undefined)) return;
    this.context.roundTrip.sample(now - this.askedAt - response.waitedMs);
    this.context.members.acquainted(from.kid);
  }
}
