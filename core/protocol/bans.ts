/**
 * Whom nothing is taken from for a while (§4.6), by name: who lied, and who broke off. Invariants: at
 * most BANS_MAX names; a node that broke off and was started anew begins afresh, a few times at once
 * and in the long run not more often than the pause is long, for a node can call itself new at will;
 * one that lied does not.
 */
import { BoundedMap, type Counters } from '../base/bounded.js';
import { RateLimit } from '../base/rate.js';
import type { InstantMs } from '../base/time.js';
import { BAN_MS, BANS_MAX, FAILURE_PAUSE_MS, FORGIVEN_AT_ONCE } from './limits.js';

interface Ban {
  readonly until: InstantMs;
  /** The run in which it broke off, if that was known; `lied` bans all runs. */
  readonly boot: string | undefined;
  readonly lied: boolean;
}

/** Restarts of one node that count: whoever crashes on start is restarted a few times at once. */
const FORGIVING = {
  perSecond: 1000 / FAILURE_PAUSE_MS,
  burst: FORGIVEN_AT_ONCE,
  sourcesMax: BANS_MAX,
};

export class Bans {
  private readonly bans = new BoundedMap<string, Ban>(BANS_MAX);
  private readonly forgiving = new RateLimit(FORGIVING);
  private readonly counters: Counters;

  constructor(counters: Counters) {
    this.counters = counters;
  }

  lied(name: string, now: InstantMs): void {
    this.bans.set(name, { until: now + BAN_MS, boot: undefined, lied: true });
    this.counters.add('sources-banned');
  }

  /** It did not answer, stalled or broke off, in this run of its. */
  failed(name: string, boot: string | undefined, now: InstantMs): void {
    if (this.bans.get(name)?.lied !== true || !this.holds(name, now))
      this.bans.set(name, { until: now + FAILURE_PAUSE_MS, boot, lied: false });
    this.counters.add('sources-paused');
  }

  /** Heard in this run: if it is another one, what broke off with the one before says nothing. */
  heard(name: string, boot: string, now: InstantMs): void {
    const ban = this.bans.get(name);
    if (ban === undefined || ban.lied || ban.boot === undefined || ban.boot === boot) return;
    if (this.forgiving.take(name, now)) this.bans.delete(name);
  }

  holds(name: string, now: InstantMs): boolean {
    return (this.bans.get(name)?.until ?? Number.NEGATIVE_INFINITY) > now;
  }

  /** The names that are banned now. */
  names(now: InstantMs): string[] {
    return [...this.bans.keys()].filter((name) => this.holds(name, now));
  }
}
