/**
 * What the provider of a service does (PROTOCOL §8.6, §8.7): says its result, answers claims with
 * it, and keeps a backup.
 *
 * Invariants: every result has the highest epoch that this node has heard of in this office; claims
 * are answered at most every RESULT_ANSWER_MS, however many come; a lease outlives three
 * heartbeats.
 */
import type { InstantMs } from '../base/time.js';
import type { Context } from './context.js';
import type { Candidate } from './election-criteria.js';
import type { Standings } from './election-standings.js';
import {
  BACKUP_MISSES,
  ELECTION_IDLE_FACTOR,
  EPOCH_STEP_MAX,
  HEARTBEAT_MS,
  KEEP_ALIVE_MS,
  LEASE_HEARTBEATS,
  RESULT_ANSWER_MS,
  RESULT_REPEATS_MS,
} from './limits.js';
import type { Address, Sender } from './message.js';

/** What the office needs to know of its election at each moment. */
export interface OfficeScope {
  readonly context: Context;
  readonly service: string;
  readonly standings: Standings;
  /** Whether something was asked lately. */
  readonly active: (now: InstantMs) => boolean;
  /** The epoch or the backup is another now. */
  readonly changed: () => void;
}

interface Backup {
  readonly kid: string;
  readonly candidate: Candidate;
  address: Address;
  unanswered: number;
}

export class Office {
  epoch: number;
  settledAt: InstantMs;
  private readonly scope: OfficeScope;
  private readonly replaces: number | undefined;
  private repeats: InstantMs[] = [];
  private heartbeatAt: InstantMs;
  private saidAt = Number.NEGATIVE_INFINITY;
  /** When the result was said last before an epoch was learnt: one for each saying. */
  private learntAt: InstantMs | undefined;
  private keepAliveAt: InstantMs = Number.POSITIVE_INFINITY;
  private standIn: Backup | undefined;

  /**
   * @param settledAt until when the election goes on, so that a better node of our class may object
   * @param replaces the epoch of the dead provider whose backup we were
   */
  constructor(
    scope: OfficeScope,
    now: InstantMs,
    epoch: number,
    settledAt: InstantMs,
    replaces: number | undefined,
  ) {
    this.scope = scope;
    this.epoch = epoch;
    this.settledAt = settledAt;
    this.replaces = replaces;
    this.heartbeatAt = now + HEARTBEAT_MS;
    this.repeat(now);
  }

  get backup(): string | undefined {
    return this.standIn?.candidate.name;
  }

  get wakeAt(): InstantMs {
    return Math.min(this.repeats[0] ?? this.heartbeatAt, this.heartbeatAt, this.keepAliveAt);
  }

  wake(now: InstantMs): void {
    const due = this.repeats[0];
    if ((due !== undefined && now >= due) || now >= this.heartbeatAt) {
      while (this.repeats[0] !== undefined && this.repeats[0] <= now) this.repeats.shift();
      this.say(now);
    }
    if (now >= this.keepAliveAt) this.keepAlive(now);
  }

  /** A claim, a probe or a rival: everybody is told who provides, soon. */
  answer(now: InstantMs): void {
    if (now - this.saidAt >= RESULT_ANSWER_MS) return this.say(now);
    const at = this.saidAt + RESULT_ANSWER_MS;
    if (this.repeats[0] === undefined || this.repeats[0] > at) this.repeats.unshift(at);
  }

  /**
   * A higher epoch than ours was heard of: ours is higher still from now on. One node's directed word
   * may be a lie, so it moves ours by so little, and so seldom, that the others still take our result.
   */
  learn(epoch: number): void {
    if (epoch <= this.epoch || epoch > this.epoch + EPOCH_STEP_MAX) return;
    if (this.learntAt === this.saidAt) return;
    this.learntAt = this.saidAt;
    this.raise(epoch);
  }

  /** A rival has an epoch that is not below ours: ours is higher from now on (§8.6). */
  raise(epoch: number): void {
    if (epoch < this.epoch) return;
    this.epoch = epoch + 1;
    this.scope.changed();
  }

  /** Something is asked again: back to the quick pace. */
  hurry(now: InstantMs): void {
    if (this.heartbeatAt > now + HEARTBEAT_MS) this.answer(now);
    if (this.standIn !== undefined && this.keepAliveAt > now + KEEP_ALIVE_MS) this.keepAlive(now);
  }

  /** A node offers to be the backup; the first one is taken, a better class replaces it. */
  standby(now: InstantMs, from: Sender, candidate: Candidate): void {
    const { standIn } = this;
    const { judge } = this.scope.standings;
    const better = standIn === undefined || judge.outclasses(candidate, standIn.candidate);
    if (standIn?.candidate.name !== candidate.name && !better) return this.answer(now);
    this.standIn = { kid: from.kid, address: from.address, candidate, unanswered: 0 };
    this.repeat(now);
    this.scope.changed();
    this.keepAlive(now);
  }

  /** The backup answers a keep-alive. */
  heardFrom(from: Sender): void {
    if (this.standIn?.kid !== from.kid) return;
    this.standIn.unanswered = 0;
    this.standIn.address = from.address;
  }

  /** A node is gone, or out of the question. */
  drop(now: InstantMs, name: string): void {
    if (this.standIn?.candidate.name !== name) return;
    this.standIn = undefined;
    this.keepAliveAt = Number.POSITIVE_INFINITY;
    this.repeat(now);
    this.scope.changed();
  }

  /** Says that nobody provides any more. */
  resign(now: InstantMs): void {
    this.say(now, true);
  }

  private repeat(now: InstantMs): void {
    const classic = this.scope.context.options.profile === 'classic';
    const ages = classic ? RESULT_REPEATS_MS.slice(0, 1) : RESULT_REPEATS_MS;
    this.repeats = ages.map((ageMs) => now + ageMs);
  }

  private say(now: InstantMs, resigning = false): void {
    const { context, service, standings } = this.scope;
    const { name: provider, said: criteria } = standings.own;
    const intervalMs = HEARTBEAT_MS * this.paceFactor(now);
    const { backup, epoch, replaces } = this;
    this.saidAt = now;
    this.heartbeatAt = now + intervalMs;
    context.counters.add('election-results-sent');
    context.emit({
      kind: 'broadcast',
      message: {
        type: 'result',
        service,
        provider,
        epoch,
        leaseMs: resigning ? 0 : LEASE_HEARTBEATS * intervalMs,
        criteria,
        settled: now >= this.settledAt,
        ...(backup === undefined ? {} : { backup }),
        ...(replaces === undefined ? {} : { replaces }),
      },
    });
  }

  private keepAlive(now: InstantMs): void {
    const { standIn } = this;
    if (standIn === undefined) return;
    standIn.unanswered += 1;
    if (standIn.unanswered > BACKUP_MISSES) return this.drop(now, standIn.candidate.name);
    const { context, service } = this.scope;
    const intervalMs = KEEP_ALIVE_MS * this.paceFactor(now);
    this.keepAliveAt = now + intervalMs;
    const { epoch } = this;
    context.emit({
      kind: 'send',
      to: standIn.address,
      introduce: !(context.members.get(standIn.kid)?.acquainted ?? false),
      message: { type: 'alive', service, epoch, ask: true, intervalMs, to: standIn.kid },
    });
  }

  private paceFactor(now: InstantMs): number {
    return this.scope.active(now) ? 1 : ELECTION_IDLE_FACTOR;
  }
}
