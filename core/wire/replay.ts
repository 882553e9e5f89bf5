/**
 * The replay window (PROTOCOL §2.4): each (sender, run) has a 1024-bit sliding window over its
 * sequence numbers, as in RFC 6479. Dedupe is by number, never by signature: an ECDSA signature
 * has two valid spellings. Invariant: `isNew` changes nothing; only `accept` does, and it is
 * called after the signature was verified.
 */
import { BoundedMap } from '../base/bounded.js';

const WINDOW_BITS = 1024n;
const MASK = (1n << WINDOW_BITS) - 1n;
/** Runs remembered; more than the peers of a LAN, less than what a flood could fill memory with. */
const RUNS_MAX = 4096;

interface Window {
  highest: number;
  /** Bit i: number `highest - i` was seen. */
  seen: bigint;
}

export class ReplayWindows {
  private readonly windows = new BoundedMap<string, Window>(RUNS_MAX);

  /** Whether number `seq` of this run was not seen yet and is not too old to tell. */
  isNew(kid: string, boot: string, seq: number): boolean {
    const window = this.windows.get(`${kid}|${boot}`);
    if (window === undefined || seq > window.highest) return true;
    const age = BigInt(window.highest - seq);
    return age < WINDOW_BITS && (window.seen & (1n << age)) === 0n;
  }

  accept(kid: string, boot: string, seq: number): void {
    const key = `${kid}|${boot}`;
    const window = this.windows.touch(key);
    if (window === undefined) {
      this.windows.set(key, { highest: seq, seen: 1n });
    } else if (seq > window.highest) {
      const step = BigInt(seq - window.highest);
      window.seen = step >= WINDOW_BITS ? 1n : ((window.seen << step) & MASK) | 1n;
      window.highest = seq;
    } else {
      window.seen |= 1n << BigInt(window.highest - seq);
    }
  }
}
