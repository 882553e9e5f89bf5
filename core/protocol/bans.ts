/**
 * Whom nothing is taken from for a while (§4.6), by name: who lied, and who broke off. Invariants: at
 * most BANS_MAX names; a node that broke off and was started anew begins afresh, one that lied does
 * not.
 */
import { BoundedMap, type Counters } from '../base/bounded.js';
import type { InstantMs } from '../base/time.js';
import { BAN_MS, BANS_MAX, FAILURE_PAUSE_MS } from './limits.js';

interface Ban {
  readonly until: InstantMs;
  readonly lied: boolean;
}

export class Bans {
  private readonly bans = new BoundedMap<string, Ban>(BANS_MAX);
  private readonly counters: Counters;

  constructor(counters: Counters) {
    this.counters = counters;
  }

  lied(name: string, now: InstantMs): void {
    this.bans.set(name, { until: now + BAN_MS, lied: true });
    this.counters.add('sources-banned');
  }

  /** It did not answer, stalled or broke off. */
  failed(name: string, now: InstantMs): void {
    if (this.bans.get(name)?.lied !== true || !this.holds(name, now))
      this.bans.set(name, { until: now + FAILURE_PAUSE_MS, lied: false });
    this.counters.add('sources-paused');
  }

  /** It died and is back: what broke off with it says nothing of what it does now. */
  restarted(name: string): void {
    if (this.bans.get(name)?.lied === false) this.bans.delete(name);
  }

  holds(name: string, now: InstantMs): boolean {
    return (this.bans.get(name)?.until ?? Number.NEGATIVE_INFINITY) > now;
  }

  /** The names that are banned now. */
  names(now: InstantMs): string[] {
    return [...this.bans.keys()].filter((name) => this.holds(name, now));
  }
}
