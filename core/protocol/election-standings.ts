/**
 * How every node of an election stands, as this node judges it (PROTOCOL §8.3): what it said, under
 * the admin's pins and exclusions. Invariant: an excluded node, another schema or an impossible
 * epoch never becomes a candidate; each refusal has a name.
 */
import { BoundedMap } from '../base/bounded.js';
import {
  type Candidate,
  type Criterion,
  type ElectionRules,
  type Judge,
  LEVELS,
  NO_RULES,
  WEIGHT,
} from './election-criteria.js';
import { CANDIDATES_SEEN_MAX, EPOCH_JUMP_MAX } from './limits.js';

export class Standings {
  /** Everybody whose packets were admitted, as judged last. */
  readonly seen = new BoundedMap<string, Candidate>(CANDIDATES_SEEN_MAX);
  readonly judge: Judge;
  rules: ElectionRules = NO_RULES;
  own: Candidate;
  /** Our own standing as measured, before any rule. */
  private found: readonly Criterion[];
  /** The highest epoch heard of. */
  highest: number;

  constructor(judge: Judge, name: string, said: readonly Criterion[], epoch: number) {
    this.judge = judge;
    this.highest = epoch;
    this.found = said;
    this.own = this.judged(name, said);
  }

  /** The sender of a packet as candidate, or why it is refused. */
  admit(
    name: string,
    packet: { readonly criteria: readonly Criterion[]; readonly epoch: number },
  ): Candidate | string {
    if (this.rules.excluded.has(name)) return 'refused-excluded';
    const candidate = this.judge.candidate(name, packet.criteria, this.rules);
    if (candidate === undefined) return 'refused-schema';
    if (packet.epoch > this.highest + EPOCH_JUMP_MAX) return 'refused-epoch-jump';
    this.highest = Math.max(this.highest, packet.epoch);
    this.seen.set(name, candidate);
    return candidate;
  }

  judged(name: string, said: readonly Criterion[]): Candidate {
    return this.judge.candidate(name, said, this.rules) ?? { name, values: [], class: 3, said };
  }

  /** The admin's rules are others now: all are judged anew. */
  ruled(rules: ElectionRules): void {
    this.rules = rules;
    for (const [name, { said }] of [...this.seen]) this.seen.set(name, this.judged(name, said));
    this.measured(this.found);
  }

  /** We have measured ourselves anew; one that is pinned here says so to the others. */
  measured(found: readonly Criterion[]): void {
    this.found = found;
    const { name } = this.own;
    const pinned = this.rules.pinned === name;
    const said = found.map((each) =>
      pinned && each.name === WEIGHT ? { ...each, value: LEVELS['weight']?.most ?? 0 } : each,
    );
    this.own = this.judged(name, said);
  }

  /** Whether we win over this one. */
  beats(other: Candidate): boolean {
    return this.judge.compare(this.own, other) < 0;
  }

  /** Our place among equals, in [0, 1). */
  get order(): number {
    return this.judge.order(this.own.name);
  }
}
