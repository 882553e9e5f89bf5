/**
 * A bounded rate by name: each name has a bucket that refills with time. Used where a stranger can
 * make the node work. Invariant: at most `sourcesMax` buckets.
 */
import { BoundedMap } from './bounded.js';
import type { InstantMs } from './time.js';

export interface RateOptions {
  readonly perSecond: number;
  /** Most at once. */
  readonly burst: number;
  /** Names remembered. */
  readonly sourcesMax: number;
}

interface Bucket {
  readonly left: number;
  readonly at: InstantMs;
}

export class RateLimit {
  private readonly buckets: BoundedMap<string, Bucket>;
  private readonly options: RateOptions;

  constructor(options: RateOptions) {
    this.options = options;
    this.buckets = new BoundedMap(options.sourcesMax);
  }

  /** Takes one from the name's bucket; false if it is empty. */
  take(name: string, now: InstantMs): boolean {
    const { perSecond, burst } = this.options;
    const bucket = this.buckets.touch(name) ?? { left: burst, at: now };
    const left = Math.min(burst, bucket.left + ((now - bucket.at) / 1000) * perSecond);
    const granted = left >= 1;
    this.buckets.set(name, { left: granted ? left - 1 : left, at: now });
    return granted;
  }
}
