/**
 * Partitions, healing, crashes, restarts and resignations in random order, one world, many cycles.
 * A checker runs after every event; after each cycle's five seconds every island has exactly one
 * provider and everybody on it knows that (PROTOCOL §8.8).
 */
import { mean, quantile, round } from '../statistics.js';
import { Ballot, SERVICE, type Voter } from './ballot.js';

export interface PartitionsOptions {
  readonly nodes: number;
  readonly cycles: number;
  readonly loss: number;
  readonly seed: number;
}

export interface PartitionsRow extends PartitionsOptions {
  readonly events: number;
  readonly partitions: number;
  readonly crashes: number;
  /** Cycles after which an island had two providers. */
  readonly splits: number;
  /** Cycles after which an island had none. */
  readonly deadEnds: number;
  /** Cycles after which a node followed somebody else than its island's provider. */
  readonly uninformed: number;
  /** Events after which a node's accepted epoch had shrunk. */
  readonly epochsShrunk: number;
  readonly settledP50Ms: number;
  readonly settledP99Ms: number;
  readonly settledMaxMs: number;
  /** The first cycle that failed; reproduce it with this seed and as many cycles. */
  readonly firstFailure: number | null;
  /** Time with two providers on one island, per cycle. */
  readonly overlapMeanMs: number;
}

const CYCLE_MS = 5000;
const LIVING_MIN = 3;

class Storm {
  private readonly ballot: Ballot;
  private readonly options: PartitionsOptions;
  private islands = new Map<Voter, number>();
  private readonly epochs = new Map<Voter, number>();
  private readonly settled: number[] = [];
  private readonly overlaps: number[] = [];
  /** When the cycle began. */
  private from = 0;
  private events = 0;
  private partitions = 0;
  private crashes = 0;
  private epochsShrunk = 0;
  private readonly failures = { splits: 0, deadEnds: 0, uninformed: 0 };
  private firstFailure: number | null = null;

  constructor(options: PartitionsOptions) {
    this.options = options;
    const { nodes, loss, seed } = options;
    this.ballot = new Ballot({ nodes, loss, profile: 'adaptive', seed, standing: 'fine' });
  }

  run(): PartitionsRow {
    const { ballot, options } = this;
    for (const voter of ballot.voters) ballot.boot(voter);
    for (let cycle = 0; cycle < options.cycles; cycle += 1) this.cycle(cycle);
    return {
      ...options,
      events: this.events,
      partitions: this.partitions,
      crashes: this.crashes,
      ...this.failures,
      epochsShrunk: this.epochsShrunk,
      settledP50Ms: round(quantile(this.settled, 0.5), 1),
      settledP99Ms: round(quantile(this.settled, 0.99), 1),
      settledMaxMs: round(Math.max(...this.settled), 1),
      firstFailure: this.firstFailure,
      overlapMeanMs: round(mean(this.overlaps), 2),
    };
  }

  private cycle(cycle: number): void {
    const { ballot } = this;
    const { world } = ballot;
    this.from = world.now;
    this.act();
    ballot.ask();
    const from = world.now;
    let rightSince = Number.NaN;
    let overlapMs = 0;
    let lastAt = world.now;
    let overlapping = false;
    world.run(from + CYCLE_MS, () => {
      this.events += 1;
      if (overlapping) overlapMs += world.now - lastAt;
      lastAt = world.now;
      overlapping = this.isSplit();
      this.checkEpochs();
      if (!this.isRight()) rightSince = Number.NaN;
      else if (Number.isNaN(rightSince)) rightSince = world.now;
      return false;
    });
    this.overlaps.push(overlapMs);
    if (!Number.isNaN(rightSince)) this.settled.push(rightSince - from);
    else this.firstFailure ??= cycle;
    this.judge();
  }

  /** One thing happens to the LAN. */
  private act(): void {
    const { random } = this.ballot.world;
    const living = this.ballot.voters.filter(({ alive }) => alive);
    const dead = this.ballot.voters.filter(({ alive }) => !alive);
    const dice = random.uint32() % 10;
    if (dice < 3) this.part(2 + (random.uint32() % 2));
    else if (dice < 5) this.part(1);
    else if (dice < 7 && living.length > LIVING_MIN) this.crash(living);
    else if (dice < 9 && dead.length > 0) this.revive(dead);
    else this.resign();
  }

  /** So many islands; one is a healed LAN. */
  private part(count: number): void {
    const { ballot, islands } = this;
    this.partitions += count > 1 ? 1 : 0;
    for (const voter of ballot.voters) {
      const island = ballot.world.random.uint32() % count;
      islands.set(voter, island);
      ballot.world.network.isolate(voter.node.sender.address, island);
    }
  }

  /** A provider as often as not, since that is what hurts. */
  private crash(living: readonly Voter[]): void {
    const { ballot } = this;
    const { random } = ballot.world;
    this.crashes += 1;
    const among = random.fraction() < 0.5 ? [...ballot.providers] : living;
    const victim = among[random.uint32() % Math.max(1, among.length)];
    if (victim !== undefined) ballot.die(victim);
  }

  private revive(dead: readonly Voter[]): void {
    const { ballot, islands } = this;
    const voter = dead[ballot.world.random.uint32() % dead.length];
    if (voter === undefined) return;
    ballot.revive(voter);
    ballot.world.network.isolate(voter.node.sender.address, islands.get(voter) ?? 0);
  }

  private resign(): void {
    const { world, providers } = this.ballot;
    const [voter] = providers;
    if (voter === undefined) return;
    const { peer } = voter.node;
    const effects = peer.elect((elections) => elections.get(SERVICE)?.resign(world.now));
    world.perform(voter.node, effects);
  }

  private isSplit(): boolean {
    const seen = new Set<number>();
    for (const voter of this.ballot.providers) {
      const island = this.islands.get(voter) ?? 0;
      if (seen.has(island)) return true;
      seen.add(island);
    }
    return false;
  }

  /** Every island has one provider, and all on it follow that one. */
  private isRight(): boolean {
    return this.faults().length === 0;
  }

  private faults(): Array<keyof Storm['failures']> {
    const providers = new Map<number, string>();
    for (const voter of this.ballot.providers) {
      const island = this.islands.get(voter) ?? 0;
      if (providers.has(island)) return ['splits'];
      providers.set(island, voter.name);
    }
    for (const voter of this.ballot.voters) {
      if (!voter.alive) continue;
      const provider = providers.get(this.islands.get(voter) ?? 0);
      // Who resigned does not stand for a minute: an island of those alone has nobody.
      if (provider === undefined) {
        if (this.hasCandidate(this.islands.get(voter) ?? 0)) return ['deadEnds'];
      } else if (voter.provider !== provider) return ['uninformed'];
    }
    return [];
  }

  private hasCandidate(island: number): boolean {
    return this.ballot.voters.some((voter) => {
      if (!voter.alive || (this.islands.get(voter) ?? 0) !== island) return false;
      return this.ballot.election(voter)?.mayStand(this.from) === true;
    });
  }

  private judge(): void {
    for (const fault of this.faults()) this.failures[fault] += 1;
  }

  private checkEpochs(): void {
    for (const voter of this.ballot.providers) {
      const epoch = this.ballot.election(voter)?.designation?.epoch ?? 0;
      if (epoch < (this.epochs.get(voter) ?? 0)) this.epochsShrunk += 1;
      this.epochs.set(voter, epoch);
    }
  }
}

/** Runs the cycles of one seed. */
export function partitions(options: PartitionsOptions): PartitionsRow {
  return new Storm(options).run();
}
