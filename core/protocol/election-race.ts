/**
 * One node's run for provider (PROTOCOL §8.4, §8.5): when it speaks, how long it is open to
 * objection, how long it waits for the result of one that beat it.
 *
 *   resting ─► waiting ─► (probing ─►) claimed ─► won
 *                 └──── a better claim ──┴─► beaten ─► unanswered
 *
 * Invariants: what is heard never moves the end of a wait or of the quiet time; the wait grows
 * with the class, so that the best class speaks first.
 */
import type { InstantMs } from '../base/time.js';
import type { Context } from './context.js';
import type { Candidate } from './election-criteria.js';
import {
  CLASSIC_WINDOW_MS,
  ELECTION_CLASS_SHARE,
  ELECTION_QUIET_MIN_MS,
  ELECTION_QUIET_ROUND_TRIPS,
  LEASE_PROBE_MS,
} from './limits.js';
import { responseWindowMs, truncatedExponentialMs } from './timing.js';

/** Classes 0 to 3. */
const CLASSES = 4;

export type RaceState = 'resting' | 'waiting' | 'probing' | 'claimed' | 'beaten';
/** What is due: nothing, a probe of the provider, our claim, the office, or another try. */
export type RaceStep = 'none' | 'probe' | 'claim' | 'won' | 'unanswered';

export class Race {
  state: RaceState = 'resting';
  wakeAt: InstantMs | undefined;
  private readonly context: Context;
  private probesLeft = 0;

  constructor(context: Context) {
    this.context = context;
  }

  /** Whether we stand, said or not yet said. */
  get running(): boolean {
    return this.state === 'waiting' || this.state === 'probing' || this.state === 'claimed';
  }

  /**
   * Begins to wait for our turn, unless we stand already.
   * @param order our place among equals, in [0, 1)
   * @param probes how often the provider is probed before we claim
   */
  begin(now: InstantMs, own: Candidate, order: number, probes: number): void {
    if (this.running) return;
    this.state = 'waiting';
    this.probesLeft = probes;
    this.wakeAt = now + this.waitMs(own.class, order);
  }

  /** Our claim is said: it is open to objection from now on. */
  claim(now: InstantMs): void {
    this.state = 'claimed';
    this.wakeAt = now + this.quietMs;
  }

  /** Somebody better claimed: his result is awaited. */
  beaten(now: InstantMs): void {
    this.state = 'beaten';
    this.wakeAt = now + this.resultMs;
  }

  stop(): void {
    this.state = 'resting';
    this.wakeAt = undefined;
  }

  wake(now: InstantMs): RaceStep {
    if (this.wakeAt === undefined || now < this.wakeAt) return 'none';
    if (this.state === 'claimed' || this.state === 'beaten') {
      const step = this.state === 'claimed' ? 'won' : 'unanswered';
      this.stop();
      return step;
    }
    if (this.probesLeft > 0) {
      this.probesLeft -= 1;
      this.state = 'probing';
      this.wakeAt = now + LEASE_PROBE_MS;
      return 'probe';
    }
    this.claim(now);
    return 'claim';
  }

  /** How long a claim is open to objection (§8.4, §8.5). */
  get quietMs(): number {
    const { roundTrip } = this.context;
    const quietMs = Math.max(
      ELECTION_QUIET_MIN_MS,
      ELECTION_QUIET_ROUND_TRIPS * roundTrip.estimateMs,
    );
    return this.classic ? CLASSIC_WINDOW_MS + quietMs : quietMs;
  }

  /** The longest that any node of the election may take until it has said its claim. */
  get longestMs(): number {
    return this.classic
      ? CLASSIC_WINDOW_MS
      : (1 + (CLASSES - 1) * ELECTION_CLASS_SHARE) * this.windowMs;
  }

  private get resultMs(): number {
    if (this.classic) return 2 * this.quietMs;
    return 2 * this.windowMs + this.quietMs;
  }

  private get classic(): boolean {
    return this.context.options.profile === 'classic';
  }

  private get windowMs(): number {
    const { roundTrip, members } = this.context;
    return responseWindowMs(roundTrip.estimateMs, members.peers);
  }

  private waitMs(ownClass: number, order: number): number {
    const { options, members } = this.context;
    if (this.classic) {
      return (CLASSIC_WINDOW_MS * (ownClass + options.random.fraction())) / CLASSES;
    }
    const { windowMs } = this;
    const turnMs = ownClass * ELECTION_CLASS_SHARE * windowMs;
    return turnMs + truncatedExponentialMs(order, windowMs, members.peers);
  }
}
