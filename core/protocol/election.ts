/**
 * The election of one service on one node (PROTOCOL §8): whom this node takes for the provider,
 * whether it contests that, and its part as candidate, provider or backup. The waits are in `Race`,
 * the provider's duties in `Office`, everybody else's in `Following`.
 *
 * Invariants: a node with an office follows nobody; the epoch of what is accepted never shrinks;
 * an incumbent of our class that is settled is never contested while its lease runs; only a
 * better result ends an office; every end of a wait leads to a provider, to another wait, or to
 * rest under an incumbent, never to nothing.
 */
import { BoundedMap } from '../base/bounded.js';
import type { InstantMs } from '../base/time.js';
import type { Context } from './context.js';
import type { Designation, ElectionReason } from './effect.js';
import type { ElectionRules, Judge } from './election-criteria.js';
import { Following, type HeardResult } from './election-following.js';
import { Office } from './election-office.js';
import { Race } from './election-race.js';
import { Standings } from './election-standings.js';
import { sayAlive, sayClaim } from './election-voice.js';
import {
  BROKEN_CLAIM_MS,
  CALL_INTERVAL_MS,
  CANDIDATES_SEEN_MAX,
  HEARTBEAT_MS,
  LATE_MS,
  LEASE_PROBES,
  RECHECK_MS,
  RESIGNED_MS,
  WELCOMES_MAX,
} from './limits.js';
import type { Alive, ElectionClaim, ElectionResult, Sender, Standby } from './message.js';

export interface ElectionScope {
  readonly context: Context;
  readonly service: string;
  readonly name: string;
  readonly judge: Judge;
  readonly active: (now: InstantMs) => boolean;
}

export class Election {
  readonly standings: Standings;
  private readonly scope: ElectionScope;
  private readonly race: Race;
  private readonly following: Following;
  private office: Office | undefined;
  /** Nodes that claimed and announced nothing, and until when their claims are ignored. */
  private readonly broken = new BoundedMap<string, InstantMs>(CANDIDATES_SEEN_MAX);
  private beatenBy: string | undefined;
  /** The highest epoch accepted. */
  private accepted: number;
  private standsFrom: InstantMs = Number.NEGATIVE_INFINITY;
  private calledAt: InstantMs = Number.NEGATIVE_INFINITY;
  private recheckAt: InstantMs = Number.POSITIVE_INFINITY;
  private last: Designation | undefined;

  constructor(scope: ElectionScope, measured: Readonly<Record<string, number>>, epoch: number) {
    this.scope = scope;
    this.race = new Race(scope.context);
    this.accepted = epoch;
    const { judge, name } = scope;
    this.standings = new Standings(judge, name, judge.criteria(measured), epoch);
    this.following = new Following(scope, this.standings);
  }

  /** Begins: finds the provider, or becomes it (§8.2). */
  start(now: InstantMs): void {
    this.recheckAt = now + RECHECK_MS;
    this.stand(now, 0);
  }

  /** In a group of one there is nobody to ask. */
  alone(now: InstantMs): void {
    if (this.mayStand(now)) this.provide(now, 'elected');
  }

  get wakeAt(): InstantMs {
    const resting = this.race.state === 'resting';
    return Math.min(
      this.race.wakeAt ?? Number.POSITIVE_INFINITY,
      this.office?.wakeAt ?? Number.POSITIVE_INFINITY,
      this.following.wakeAt,
      resting ? this.restEnds : Number.POSITIVE_INFINITY,
      this.recheckAt,
    );
  }

  /** The provider and backup, as told last. */
  get designation(): Designation | undefined {
    return this.last;
  }

  wake(now: InstantMs): void {
    this.office?.wake(now);
    const due = this.following.wake(now);
    if (due === 'take-over') this.succeed(now);
    else if (due !== 'none') this.accept(now, due, 'taken-over');
    if (this.race.state === 'resting' && now >= this.restEnds) this.restOver(now);
    this.stepRace(now);
    if (now < this.recheckAt) return;
    this.recheckAt = now + RECHECK_MS;
    if (this.contests(now)) this.stand(now, 0);
  }

  heardClaim(now: InstantMs, from: Sender, claim: ElectionClaim): void {
    const candidate = this.admit(from.name, claim);
    if (candidate === undefined) return;
    if (claim.open) this.called(now);
    if (this.office !== undefined) {
      this.office.learn(claim.epoch);
      return this.office.answer(now);
    }
    if ((this.broken.get(from.name) ?? now) > now) return this.count('claims-of-silent');
    if (this.standings.beats(candidate)) {
      this.count('claims-losing');
      if (this.race.state === 'resting' && this.contests(now)) this.stand(now, 0);
    } else if (this.race.running) {
      this.count('beaten');
      this.beatenBy = from.name;
      this.race.beaten(now);
    }
  }

  heardResult(now: InstantMs, from: Sender, result: ElectionResult): void {
    if (result.provider !== from.name) return this.count('refused-provider');
    const candidate = this.admit(from.name, result);
    if (candidate === undefined) return;
    const heard = { from, candidate, result };
    if (this.office !== undefined) return this.heardRival(now, heard, this.office);
    if (result.epoch < this.accepted) return this.heardOld(now, from);
    const { incumbent } = this.following;
    const same = incumbent?.from.name === from.name;
    if (result.leaseMs === 0) return same ? this.lost(now, 'resigned') : undefined;
    if (same || incumbent === undefined || now >= incumbent.leaseUntil)
      return this.accept(now, heard, 'elected');
    if (result.replaces !== undefined && incumbent.backup === from.name)
      return this.following.announced(now + this.race.quietMs, heard);
    if (this.scope.judge.compare(candidate, incumbent.candidate) > 0)
      return this.count('results-losing');
    this.accept(now, heard, result.settled ? 'healed' : 'better');
  }

  /** A provider that does not know the epoch yet: it learns that from a few of us. */
  private heardOld(now: InstantMs, from: Sender): void {
    this.count('refused-old-epoch');
    const { members, options } = this.scope.context;
    const lives = now < (this.following.incumbent?.leaseUntil ?? Number.NEGATIVE_INFINITY);
    if (lives || options.random.fraction() * members.peers > WELCOMES_MAX) return;
    sayAlive(this.scope, this.accepted, from, true);
  }

  /** A node offers itself as our backup. */
  heardStandby(now: InstantMs, from: Sender, standby: Standby): void {
    const candidate = this.admit(from.name, standby);
    if (candidate === undefined || this.office === undefined) return;
    this.office.learn(standby.epoch);
    this.office.standby(now, from, candidate);
  }

  heardAlive(now: InstantMs, from: Sender, alive: Alive): void {
    const { office } = this;
    if (office === undefined) return this.following.heardAlive(now, from, alive);
    office.learn(alive.epoch);
    if (alive.ask) office.answer(now);
    else office.heardFrom(from);
  }

  /** A node has left the LAN. */
  left(now: InstantMs, name: string): void {
    this.office?.drop(now, name);
    if (this.following.incumbent?.from.name === name) this.lost(now, 'left');
  }

  /** Something is asked: everything periodic goes at the quick pace again (§8.7). */
  hurry(now: InstantMs): void {
    this.office?.hurry(now);
    this.following.hurry(now);
  }

  /** The connection that the backup holds to the provider has closed. */
  connectionLost(now: InstantMs): void {
    this.following.connectionLost(now);
  }

  /** The probes have other values now. */
  measured(now: InstantMs, measured: Readonly<Record<string, number>>): void {
    this.standings.measured(this.scope.judge.criteria(measured));
    this.judgeAnew(now);
  }

  /** The admin pinned or excluded somebody. */
  ruled(now: InstantMs, rules: ElectionRules): void {
    this.standings.ruled(rules);
    const { incumbent } = this.following;
    if (incumbent !== undefined && rules.excluded.has(incumbent.from.name)) {
      this.following.leave();
      this.designate('excluded');
    } else if (incumbent !== undefined) {
      const { name, said } = incumbent.candidate;
      incumbent.candidate = this.standings.judged(name, said);
    }
    for (const name of rules.excluded) this.office?.drop(now, name);
    this.judgeAnew(now);
  }

  /** Gives the office back; this node does not stand again for a while. */
  resign(now: InstantMs): void {
    this.standsFrom = now + RESIGNED_MS;
    this.race.stop();
    this.following.standBy(now, false);
    if (this.office === undefined) return;
    this.office.resign(now);
    this.office = undefined;
    this.designate('resigned');
  }

  /** An election on command: a live provider stands again, too, and all levels decide. */
  call(now: InstantMs): void {
    this.standsFrom = Number.NEGATIVE_INFINITY;
    this.calledAt = Number.NEGATIVE_INFINITY;
    this.called(now);
    if (!this.mayStand(now)) return;
    if (this.office === undefined) this.race.claim(now);
    this.claim(true);
  }

  private called(now: InstantMs): void {
    if (now - this.calledAt < CALL_INTERVAL_MS) return this.count('calls-too-often');
    this.calledAt = now;
    if (this.office !== undefined) this.office.settledAt = this.settledAt(now);
    const { incumbent } = this.following;
    if (incumbent !== undefined) incumbent.settled = false;
  }

  /** What a node says of itself, unless it is refused. */
  private admit(name: string, packet: ElectionClaim | ElectionResult | Standby) {
    const candidate = this.standings.admit(name, packet);
    if (typeof candidate !== 'string') return candidate;
    this.count(candidate);
    return undefined;
  }

  private judgeAnew(now: InstantMs): void {
    if (!this.mayStand(now)) return this.office === undefined ? this.race.stop() : this.resign(now);
    if (this.office !== undefined) this.office.answer(now);
    else if (this.contests(now)) this.stand(now, 0);
  }

  /** Whether this node stands at all: no mere client, not excluded, not just resigned. */
  mayStand(now: InstantMs): boolean {
    return now >= this.standingFrom;
  }

  private get standingFrom(): InstantMs {
    const excluded = this.standings.rules.excluded.has(this.scope.name);
    const { server } = this.scope.context.options;
    return server && !excluded ? this.standsFrom : Number.POSITIVE_INFINITY;
  }

  /** Whether this node should provide rather than whom it knows (§8.6). */
  private contests(now: InstantMs): boolean {
    const { incumbent } = this.following;
    if (this.office !== undefined || !this.mayStand(now)) return false;
    if (incumbent === undefined || now >= incumbent.leaseUntil) return true;
    if (this.scope.judge.outclasses(this.standings.own, incumbent.candidate)) return true;
    return !incumbent.settled && this.standings.beats(incumbent.candidate);
  }

  private stand(now: InstantMs, probes: number): void {
    if (!this.mayStand(now)) return;
    this.race.begin(now, this.standings.own, this.standings.order, probes);
  }

  /** When rest is over: the lease runs out, or after a resignation we may stand again. */
  private get restEnds(): InstantMs {
    if (this.office !== undefined) return Number.POSITIVE_INFINITY;
    return this.following.incumbent?.leaseUntil ?? this.standingFrom;
  }

  private restOver(now: InstantMs): void {
    const { incumbent } = this.following;
    if (incumbent === undefined) return this.stand(now, 0);
    // Who stood still himself cannot say that the provider is silent.
    if (now - incumbent.leaseUntil > LATE_MS) incumbent.leaseUntil = now + HEARTBEAT_MS;
    else if (this.mayStand(now)) this.stand(now, LEASE_PROBES);
    else {
      this.following.leave();
      this.designate('silent');
    }
  }

  private stepRace(now: InstantMs): void {
    const step = this.race.wake(now);
    if (step === 'none') return;
    const contests = this.contests(now);
    if (step === 'unanswered') {
      if (contests) this.breakClaim(now);
      return contests ? this.stand(now, 0) : undefined;
    }
    if (!contests) return this.race.stop();
    if (step === 'probe') this.following.probe();
    else if (step === 'claim') this.claim(false);
    else if (step === 'won') this.provide(now, 'elected');
  }

  /** Who beat us has announced nothing: its claims do not count for a while. */
  private breakClaim(now: InstantMs): void {
    if (this.beatenBy === undefined) return;
    this.count('claims-broken');
    this.broken.set(this.beatenBy, now + BROKEN_CLAIM_MS);
    this.beatenBy = undefined;
  }

  private claim(open: boolean): void {
    this.count('claims-sent');
    sayClaim(this.scope, this.standings.highest, this.standings.own.said, open);
  }

  private succeed(now: InstantMs): void {
    this.count('take-overs');
    this.provide(now, 'taken-over', this.following.incumbent?.epoch);
  }

  private provide(now: InstantMs, reason: ElectionReason, replaces?: number): void {
    this.race.stop();
    this.following.leave();
    this.standings.highest += 1;
    const settledAt = replaces === undefined ? this.settledAt(now) : now;
    const { scope, standings } = this;
    const office = { ...scope, standings, changed: () => this.designate(reason) };
    this.office = new Office(office, now, standings.highest, settledAt, replaces);
    this.office.wake(now);
    this.designate(reason);
  }

  private settledAt(now: InstantMs): InstantMs {
    return now + this.race.longestMs + this.race.quietMs;
  }

  /** Two providers: a partition healed, or two elections crossed (§8.6). */
  private heardRival(now: InstantMs, heard: HeardResult, office: Office): void {
    const { epoch, leaseMs, settled } = heard.result;
    if (leaseMs === 0) return;
    this.count('rivals');
    const better = !this.standings.beats(heard.candidate);
    if (better && epoch >= office.epoch) {
      this.office = undefined;
      return this.accept(now, heard, settled ? 'healed' : 'better');
    }
    if (!better) office.raise(epoch);
    office.answer(now);
  }

  private accept(now: InstantMs, heard: HeardResult, reason: ElectionReason): void {
    this.beatenBy = undefined;
    this.following.follow(now, heard);
    this.designate(reason);
    this.following.standBy(now, this.mayStand(now));
    if (!this.contests(now)) this.race.stop();
    else if (this.race.state === 'resting') this.stand(now, 0);
  }

  /** The provider is gone for certain: its backup takes over, the others wait for that. */
  private lost(now: InstantMs, reason: ElectionReason): void {
    const { incumbent, isBackup } = this.following;
    if (incumbent === undefined) return;
    if (isBackup) return this.succeed(now);
    this.following.leave();
    this.designate(reason);
    if (incumbent.backup === undefined) this.stand(now, 0);
    else this.race.beaten(now);
  }

  /** Tells the shell who provides, if that is news, and has it keep the epoch. */
  private designate(reason: ElectionReason): void {
    const { office, scope, last } = this;
    const { incumbent } = this.following;
    const { context, service } = scope;
    const provider = office === undefined ? incumbent?.from.name : scope.name;
    const kid = office === undefined ? incumbent?.from.kid : context.options.kid;
    const backup = office === undefined ? incumbent?.backup : office.backup;
    const epoch = Math.max(this.accepted, office?.epoch ?? incumbent?.epoch ?? 0);
    this.standings.highest = Math.max(this.standings.highest, epoch);
    if (epoch > this.accepted) {
      this.accepted = epoch;
      context.emit({ kind: 'keep-epoch', service, epoch });
    }
    const moved = last?.provider !== provider;
    if (!moved && last?.kid === kid && last?.backup === backup && last?.epoch === epoch) return;
    this.last = { provider, kid, backup, epoch, reason: moved ? reason : (last?.reason ?? reason) };
    context.emit({ kind: 'designate', service, designation: this.last });
  }

  private count(what: string): void {
    this.scope.context.counters.add(`election-${what}`);
  }
}
