/**
 * How the process itself is: memory, handles, and how late its event loop is. A node runs for
 * years; these three must stay flat.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** How often lateness is looked at: each look wakes an idle node, at 20 ms for 0.24 % of a core. */
const RESOLUTION_MS = 100;
const NS_PER_S = 1e9;

export interface VitalSigns {
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Sockets, timers, files and requests that are open. */
  readonly handles: number;
  readonly loopDelaySeconds: { readonly p50: number; readonly p99: number; readonly max: number };
}

export class Vitals {
  private readonly delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.delay.enable();
  }

  /** Since the last call of {@link forget}. */
  read(): VitalSigns {
    const { rss: residentBytes, heapUsed: heapBytes } = process.memoryUsage();
    const late = (ns: number) => Math.max(0, ns / NS_PER_S - RESOLUTION_MS / 1000);
    const { delay } = this;
    return {
      residentBytes,
      heapBytes,
      handles: process.getActiveResourcesInfo().length,
      loopDelaySeconds: {
        p50: late(delay.percentile(50)),
        p99: late(delay.percentile(99)),
        max: late(delay.max),
      },
    };
  }

  /** Lateness is measured anew, so that each scrape shows its own span. */
  forget(): void {
    this.delay.reset();
  }

  stop(): void {
    this.delay.disable();
  }
}
