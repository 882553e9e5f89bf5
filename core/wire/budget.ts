/**
 * Verification budget per source (PROTOCOL §2.4): a signature check costs 0.1 ms, so a flood of
 * forged packets would starve honest ones. Each source has a bucket of checks that may fail; a
 * check that succeeds is given back. Sources that never had a good packet share one more bucket, so
 * that a flood from made-up addresses costs no more than one from a few.
 */
import { BoundedMap } from '../base/bounded.js';
import { RateLimit } from '../base/rate.js';
import type { InstantMs } from '../base/time.js';

const FAILURES_PER_SECOND = 20;
const BURST = 40;
/** Sources remembered; a /20 of a LAN. */
const SOURCES_MAX = 4096;
/** Checks a second for all strangers together: a twentieth of a core. */
const STRANGERS = { perSecond: 500, burst: 1000, sourcesMax: 1 };

interface Bucket {
  tokens: number;
  at: InstantMs;
  /** A packet from there was good. */
  proven: boolean;
}

export class VerifyBudget {
  private readonly strangers = new RateLimit(STRANGERS);
  private readonly buckets = new BoundedMap<string, Bucket>(SOURCES_MAX);

  /** Takes one check from the source's budget; false if there is none left. */
  take(source: string, now: InstantMs): boolean {
    const bucket = this.buckets.touch(source) ?? { tokens: BURST, at: now, proven: false };
    const refilled = bucket.tokens + ((now - bucket.at) / 1000) * FAILURES_PER_SECOND;
    bucket.tokens = Math.min(BURST, refilled);
    bucket.at = now;
    this.buckets.set(source, bucket);
    if (bucket.tokens < 1 || !(bucket.proven || this.strangers.take('', now))) return false;
    bucket.tokens -= 1;
    return true;
  }

  /** The check succeeded: it did not count. */
  giveBack(source: string): void {
    const bucket = this.buckets.get(source);
    if (bucket === undefined) return;
    bucket.tokens = Math.min(BURST, bucket.tokens + 1);
    bucket.proven = true;
  }
}
