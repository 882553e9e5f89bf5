/**
 * The side of those who do not provide (PROTOCOL §8.6, §8.7): the incumbent and its lease, the
 * backup's watch over it, the offer to become its backup, and a backup's take-over that is
 * believed only if the provider does not object.
 *
 * Invariants: the watch runs exactly while the incumbent names us its backup; any word of the
 * incumbent ends a pending take-over.
 */
import type { InstantMs } from '../base/time.js';
import type { Context } from './context.js';
import type { Candidate } from './election-criteria.js';
import type { Standings } from './election-standings.js';
import { sayAlive, sayStandby, type VoiceScope } from './election-voice.js';
import { Watch } from './election-watch.js';
import {
  HEARTBEAT_MS,
  LEASE_HEARTBEATS,
  LEASE_MAX_MS,
  STANDBY_PER_PEER_MS,
  STANDBY_WINDOW_MIN_MS,
} from './limits.js';
import type { Alive, ElectionResult, Sender } from './message.js';
import { truncatedExponentialMs } from './timing.js';

/** Whom this node takes for the provider. */
export interface Incumbent {
  readonly from: Sender;
  candidate: Candidate;
  readonly epoch: number;
  readonly backup: string | undefined;
  settled: boolean;
  leaseUntil: InstantMs;
}

/** A result that was heard, with its verified sender and his standing. */
export interface HeardResult {
  readonly from: Sender;
  readonly candidate: Candidate;
  readonly result: ElectionResult;
}

/** What is due that only the election can do. */
export type FollowingStep = 'none' | 'take-over' | HeardResult;

const NEVER = Number.POSITIVE_INFINITY;
/** The standby window is split among the classes, the best first. */
const CLASSES = 4;

export class Following implements VoiceScope {
  incumbent: Incumbent | undefined;
  readonly context: Context;
  readonly service: string;
  private readonly standings: Standings;
  private watch: Watch | undefined;
  private takeOver: (HeardResult & { readonly at: InstantMs }) | undefined;
  private offerAt: InstantMs = NEVER;

  constructor({ context, service }: VoiceScope, standings: Standings) {
    this.context = context;
    this.service = service;
    this.standings = standings;
  }

  get wakeAt(): InstantMs {
    return Math.min(this.watch?.wakeAt ?? NEVER, this.takeOver?.at ?? NEVER, this.offerAt);
  }

  get leaseUntil(): InstantMs {
    return this.incumbent?.leaseUntil ?? NEVER;
  }

  /** Whether we are the backup. */
  get isBackup(): boolean {
    return this.watch !== undefined;
  }

  /** This is the provider from now on, or still. */
  follow(now: InstantMs, { from, candidate, result }: HeardResult): void {
    const { epoch, backup, settled, leaseMs } = result;
    const leaseUntil = now + Math.min(leaseMs, LEASE_MAX_MS);
    if (this.incumbent?.from.name !== from.name) this.unattend();
    this.incumbent = { from, candidate, epoch, backup, settled, leaseUntil };
    this.takeOver = undefined;
    if (backup !== this.standings.own.name) return this.unattend();
    if (this.watch !== undefined) return this.watch.heard(now);
    this.watch = new Watch(now);
    this.context.emit({ kind: 'attend', service: this.service, provider: from });
  }

  /** Nobody is followed any more. */
  leave(): void {
    this.incumbent = undefined;
    this.takeOver = undefined;
    this.offerAt = NEVER;
    this.unattend();
  }

  /** Plans to offer ourselves as backup, the best class first; not if there is one (§8.7). */
  standBy(now: InstantMs, willing: boolean): void {
    if (this.incumbent?.backup !== undefined || !willing) this.offerAt = NEVER;
    else if (this.offerAt === NEVER) this.offerAt = now + this.offerWaitMs();
  }

  /** Asks the incumbent whether it lives. */
  probe(): void {
    const { incumbent } = this;
    if (incumbent !== undefined) sayAlive(this, incumbent.epoch, incumbent.from, true);
  }

  /** The backup says that it takes over: the provider may object until `at`. */
  announced(at: InstantMs, heard: HeardResult): void {
    this.takeOver ??= { ...heard, at };
  }

  /** The incumbent keeps alive, or answers; its backup lets it know that it lives, too. */
  heardAlive(now: InstantMs, from: Sender, alive: Alive): void {
    const { incumbent, watch } = this;
    if (incumbent?.from.name !== from.name || alive.epoch < incumbent.epoch) return;
    this.takeOver = undefined;
    incumbent.leaseUntil = Math.max(incumbent.leaseUntil, now + LEASE_HEARTBEATS * HEARTBEAT_MS);
    watch?.heard(now, Math.min(alive.intervalMs, LEASE_MAX_MS));
    if (alive.ask && watch !== undefined) sayAlive(this, incumbent.epoch, from, false);
  }

  /** Something is asked: a slow lease is cut to a quick one (§8.7). */
  hurry(now: InstantMs): void {
    this.watch?.hurry(now);
    const { incumbent } = this;
    if (incumbent === undefined) return;
    const until = now + LEASE_HEARTBEATS * HEARTBEAT_MS;
    incumbent.leaseUntil = Math.min(incumbent.leaseUntil, until);
  }

  /** The connection that we hold to the provider has closed. */
  connectionLost(now: InstantMs): void {
    this.watch?.suspect(now);
  }

  wake(now: InstantMs): FollowingStep {
    if (now >= this.offerAt) this.offer(now);
    const { takeOver } = this;
    if (takeOver !== undefined && now >= takeOver.at) {
      this.takeOver = undefined;
      return takeOver;
    }
    const step = this.watch?.wake(now) ?? 'none';
    if (step === 'probe') this.probe();
    return step === 'take-over' ? step : 'none';
  }

  private offer(now: InstantMs): void {
    this.offerAt = now + this.offerWindowMs;
    const { incumbent, standings } = this;
    if (incumbent === undefined) return;
    sayStandby(this, standings.highest, standings.own.said, incumbent.from);
  }

  private unattend(): void {
    if (this.watch === undefined) return;
    this.watch = undefined;
    this.context.emit({ kind: 'attend', service: this.service, provider: undefined });
  }

  private get offerWindowMs(): number {
    return Math.max(STANDBY_WINDOW_MIN_MS, this.context.members.peers * STANDBY_PER_PEER_MS);
  }

  private offerWaitMs(): number {
    const { offerWindowMs: windowMs, standings } = this;
    const turnMs = (standings.own.class / CLASSES) * windowMs;
    const { peers } = this.context.members;
    return turnMs + truncatedExponentialMs(standings.order, windowMs / 2, peers);
  }
}
