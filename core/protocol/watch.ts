/**
 * What a node does when nobody has it and it is not the one to fetch it for others (§5.3), because
 * it may not use the Internet or does not serve: it does not claim, it watches, since others that
 * asked at the same moment will. Invariant: it ends, at the latest WATCH_MAX_MS after
 * it began.
 */
import type { InstantMs } from '../base/time.js';
import type { Context } from './context.js';
import type { OriginReason } from './effect.js';
import { CROWD_MEMORY_MS, WATCH_MAX_MS, WATCH_MIN_MS } from './limits.js';

export class Watch {
  /** Why this node would have gone to the Internet. */
  readonly reason: OriginReason;
  private readonly context: Context;
  private readonly href: string;
  private readonly since: InstantMs;

  constructor(context: Context, now: InstantMs, href: string, reason: OriginReason) {
    this.context = context;
    this.since = now;
    this.href = href;
    this.reason = reason;
  }

  /** Whether it has lasted as long as any may. */
  isLongAt(now: InstantMs): boolean {
    return now - this.since >= WATCH_MAX_MS;
  }

  /** Until when somebody may yet claim it. */
  get until(): InstantMs {
    // Those who lost the same flight may notice it much later than we.
    const patienceMs = this.reason === 'taken-over' ? WATCH_MAX_MS : WATCH_MIN_MS;
    // With a way of its own it does not wait for those that nobody heard.
    const shortestMs = this.context.options.internet ? 0 : patienceMs;
    const latest = this.context.crowds.latest(this.href) + CROWD_MEMORY_MS;
    return Math.min(this.since + WATCH_MAX_MS, Math.max(this.since + shortestMs, latest));
  }
}
