/**
 * The criteria of an election (PROTOCOL §8.3): named levels in order, each a small whole number,
 * larger is better. The first is always the admin's weight; the next ones are the service's choice;
 * the last is always the node's name (through a hash, so that equal nodes share the services).
 *
 * Invariants: `compare` is a total order over all levels; the class, 0 to 3, is monotone in it,
 * since it only cuts that order at three places.
 */
import { BoundedMap } from '../base/bounded.js';
import { CANDIDATES_SEEN_MAX } from './limits.js';
import { hashFraction, type Sha256 } from './timing.js';

interface LevelRule {
  readonly least: number;
  readonly most: number;
  /** From here on a node counts as well placed. */
  readonly goodFrom: number;
}

/** The level that comes first in every election. */
export const WEIGHT = 'weight';

/** Every level there is. */
export const LEVELS: Readonly<Record<string, LevelRule>> = {
  weight: { least: -100, most: 100, goodFrom: 1 },
  internet: { least: 0, most: 1, goodFrom: 1 },
  bandwidth: { least: 0, most: 7, goodFrom: 3 },
  wired: { least: 0, most: 1, goodFrom: 1 },
  mains: { least: 0, most: 1, goodFrom: 1 },
  os: { least: 0, most: 2, goodFrom: 1 },
  cpu: { least: 0, most: 7, goodFrom: 4 },
  uptime: { least: 0, most: 3, goodFrom: 1 },
};

/** The levels after the weight, where a service names none of its own. */
export const USUAL_CRITERIA: readonly string[] = [
  'internet',
  'bandwidth',
  'wired',
  'mains',
  'os',
  'cpu',
  'uptime',
];

/** The weight of a node that the admin pinned: above any that a node can claim for itself. */
const PINNED_WEIGHT = 1000;

/** One level of a packet: its place in the list is its rank. */
export interface Criterion {
  readonly name: string;
  readonly value: number;
}

/** What the admin decided about a service; it wins over what nodes say of themselves. */
export interface ElectionRules {
  readonly pinned?: string;
  readonly excluded: ReadonlySet<string>;
}

export const NO_RULES: ElectionRules = { excluded: new Set() };

/** A node's standing: its values in the order of the levels. */
export interface Candidate {
  readonly name: string;
  readonly values: readonly number[];
  readonly class: number;
  /** What the node said, before the admin's rules. */
  readonly said: readonly Criterion[];
}

/** Judges candidates of one service. */
export class Judge {
  readonly names: readonly string[];
  private readonly service: string;
  private readonly sha256: Sha256;
  private readonly orders = new BoundedMap<string, number>(CANDIDATES_SEEN_MAX);

  /** @param criteria the levels after the weight */
  constructor(service: string, criteria: readonly string[], sha256: Sha256) {
    this.service = service;
    this.names = [WEIGHT, ...criteria];
    this.sha256 = sha256;
  }

  /** What a node says of itself, under the admin's rules; `undefined` if the schema is another. */
  candidate(
    name: string,
    criteria: readonly Criterion[],
    rules: ElectionRules,
  ): Candidate | undefined {
    if (criteria.length !== this.names.length) return undefined;
    const values: number[] = [];
    for (const [i, criterion] of criteria.entries()) {
      const rule = LEVELS[criterion.name];
      if (criterion.name !== this.names[i] || rule === undefined) return undefined;
      const { value } = criterion;
      if (!Number.isInteger(value) || value < rule.least || value > rule.most) return undefined;
      values.push(value);
    }
    if (rules.pinned === name) values[0] = PINNED_WEIGHT;
    return { name, values, class: this.classOf(values), said: criteria };
  }

  /** Our own standing as a packet says it; a level that was not measured counts least. */
  criteria(measured: Readonly<Record<string, number>>): Criterion[] {
    return this.names.map((name) => {
      const { least = 0, most = 0 } = LEVELS[name] ?? {};
      const value = measured[name] ?? (name === WEIGHT ? 0 : least);
      return { name, value: Math.max(least, Math.min(most, Math.round(value))) };
    });
  }

  /** Negative if `a` wins: level by level, then by the name. Never 0 for two names. */
  compare(a: Candidate, b: Candidate): number {
    for (const [i, value] of a.values.entries()) {
      const other = b.values[i] ?? 0;
      if (value !== other) return other - value;
    }
    if (a.name === b.name) return 0;
    const order = this.order(a.name) - this.order(b.name);
    return order !== 0 ? order : a.name < b.name ? -1 : 1;
  }

  /** Whether `a` may depose a live `b`: by the admin's weight or by a better class. */
  outclasses(a: Candidate, b: Candidate): boolean {
    const [weight = 0] = a.values;
    const [other = 0] = b.values;
    return weight !== other ? weight > other : a.class < b.class;
  }

  /** A name's place among equals, in [0, 1): smaller wins. */
  order(name: string): number {
    const known = this.orders.get(name);
    if (known !== undefined) return known;
    const order = hashFraction(this.sha256(`${this.service}|${name}`));
    this.orders.set(name, order);
    return order;
  }

  /** Cuts the order at: weight above 0; the first two levels good; the first one good; weight 0. */
  private classOf(values: readonly number[]): number {
    const [weight = 0, first = 0, second = 0] = values;
    if (weight !== 0) return weight > 0 ? 0 : 3;
    const [, firstName = '', secondName = ''] = this.names;
    const rule = LEVELS[firstName];
    if (rule === undefined) return 1;
    if (first < rule.goodFrom) return 2;
    return first === rule.most && second >= (LEVELS[secondName]?.goodFrom ?? 0) ? 0 : 1;
  }
}
