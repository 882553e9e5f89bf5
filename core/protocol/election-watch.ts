/**
 * What the backup of a service does (PROTOCOL §8.7): expects a keep-alive in each interval; after
 * two missed ones, or when the connection to the provider closes, it probes three times and then
 * takes over.
 *
 * Invariant: a node whose own timer comes late restarts its count, for then it is itself that
 * stood still.
 */
import type { InstantMs } from '../base/time.js';
import {
  KEEP_ALIVE_MISSES,
  KEEP_ALIVE_MS,
  KEEP_ALIVE_SLACK_MS,
  LATE_MS,
  PROBE_INTERVAL_MS,
  PROBES,
} from './limits.js';

export type WatchStep = 'none' | 'probe' | 'take-over';

export class Watch {
  wakeAt: InstantMs;
  private intervalMs = KEEP_ALIVE_MS;
  private probesLeft = PROBES;

  constructor(now: InstantMs) {
    this.wakeAt = now;
    this.heard(now, KEEP_ALIVE_MS);
  }

  /** The provider lives, and will say so again within `intervalMs`. */
  heard(now: InstantMs, intervalMs = this.intervalMs): void {
    this.intervalMs = intervalMs;
    this.probesLeft = PROBES;
    this.wakeAt = now + KEEP_ALIVE_MISSES * intervalMs + KEEP_ALIVE_SLACK_MS;
  }

  /** The connection to the provider closed: look at once. */
  suspect(now: InstantMs): void {
    if (this.probesLeft === PROBES) this.wakeAt = now;
  }

  /** Something is asked again: the provider is expected at the quick pace. */
  hurry(now: InstantMs): void {
    const at = now + KEEP_ALIVE_MISSES * KEEP_ALIVE_MS + KEEP_ALIVE_SLACK_MS;
    this.wakeAt = Math.min(this.wakeAt, at);
  }

  wake(now: InstantMs): WatchStep {
    if (now < this.wakeAt) return 'none';
    if (now - this.wakeAt > LATE_MS) {
      this.heard(now);
      return 'none';
    }
    if (this.probesLeft === 0) return 'take-over';
    this.probesLeft -= 1;
    this.wakeAt = now + PROBE_INTERVAL_MS;
    return 'probe';
  }
}
