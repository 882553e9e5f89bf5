/**
 * What a node without Internet does when nobody has it (§5.3): it does not claim, it watches, since
 * others that asked at the same moment will. Invariant: it ends, at the latest WATCH_MAX_MS after
 * it began.
 */
import type { InstantMs } from '../base/time.js';
import type { Context } from './context.js';
import type { OriginReason } from './effect.js';
import { CROWD_MEMORY_MS, WATCH_MAX_MS } from './limits.js';

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

  /** Until when somebody may yet claim it. */
  get until(): InstantMs {
    // Those who lost the same flight may notice it much later than we.
    const shortestMs = this.reason === 'taken-over' ? WATCH_MAX_MS : CROWD_MEMORY_MS;
    const latest = this.context.crowds.latest(this.href) + CROWD_MEMORY_MS;
    return Math.min(this.since + WATCH_MAX_MS, Math.max(this.since + shortestMs, latest));
  }
}
