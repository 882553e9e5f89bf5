/**
 * The clocks of the senders that were verified, against our own (PROTOCOL §2.4): how far each is
 * off, and up to when its packets were heard. Two things come of it. After a restart the replay
 * windows are empty; then what a known sender said before this start is refused by its own clock, so
 * that nothing that was acted on once is acted on again. And the median of the differences tells the
 * admin when this machine's clock is wrong.
 *
 * Invariants: only a verified packet changes anything; a sender that was never heard has no floor,
 * for none of its packets can have been acted on; at most SENDERS_MAX senders.
 */
import { BoundedMap } from '../base/bounded.js';

/** Senders remembered; as many as there are replay windows. */
const SENDERS_MAX = 4096;
/** A clock that was seen this long ago says nothing of now. */
const FRESH_MS = 5 * 60_000;
/** A difference from which on it is time to set a clock; at 60 s packets are refused. */
const SKEW_ALARM_MS = 30_000;
/** A floor is kept for so long: what is older is refused for its age anyway. */
const FLOOR_MEMORY_MS = 10 * 60_000;
/** A sample that says less than the others is believed by this share: packets come late, not early. */
const SLOW_SHARE = 1 / 8;

/** What outlives a restart of one sender's clock. */
export interface SenderClock {
  readonly kid: string;
  /** Its clock minus ours, milliseconds. */
  readonly offsetMs: number;
  /** Its time in the newest packet that was accepted. */
  readonly newestTs: number;
}

/** How our clock stands among the others. */
export interface ClockSkew {
  /** Senders heard lately. */
  readonly senders: number;
  /** Median of their clocks minus ours, milliseconds. */
  readonly offsetMs: number;
  readonly alarm: boolean;
}

interface Known {
  offsetMs: number;
  newestTs: number;
  /** Our wall clock when it was seen last. */
  seenAt: number;
  /** Its packets come in time; else they are refused and only their difference is known. */
  accepted: boolean;
}

export class SenderClocks {
  private readonly known = new BoundedMap<string, Known>(SENDERS_MAX);
  /** By sender, in its own time. */
  private readonly floors = new Map<string, { readonly ts: number; readonly offsetMs: number }>();
  /** Called when a sender is heard for the first time: a restart must not forget it. */
  onNewSender: (() => void) | undefined;

  /** Takes over what an earlier run knew. @param startedAt our wall clock at this start */
  restore(clocks: readonly SenderClock[], startedAt: number): void {
    for (const { kid, offsetMs, newestTs } of clocks.slice(-SENDERS_MAX)) {
      const ts = Math.max(newestTs, startedAt + offsetMs);
      if (newestTs > startedAt + offsetMs - FLOOR_MEMORY_MS) this.floors.set(kid, { ts, offsetMs });
    }
  }

  /** Whether an earlier run may have heard what this sender said at that time of its own. */
  isFromBefore(kid: string, ts: number): boolean {
    const floor = this.floors.get(kid);
    return floor !== undefined && ts <= floor.ts;
  }

  /** A verified packet that was accepted. */
  heard(kid: string, ts: number, wallMs: number): void {
    const known = this.known.touch(kid);
    const offsetMs = ts - wallMs;
    if (known?.accepted !== true) {
      this.known.set(kid, { offsetMs, newestTs: ts, seenAt: wallMs, accepted: true });
      this.onNewSender?.();
      return;
    }
    const share = offsetMs > known.offsetMs ? 1 : SLOW_SHARE;
    known.offsetMs += (offsetMs - known.offsetMs) * share;
    known.newestTs = Math.max(known.newestTs, ts);
    known.seenAt = wallMs;
  }

  /** A verified packet that was refused for its time; one of a sender that comes in time is old. */
  refused(kid: string, ts: number, wallMs: number): void {
    const known = this.known.get(kid);
    if (known?.accepted === true && wallMs - known.seenAt < FRESH_MS) return;
    this.known.set(kid, { offsetMs: ts - wallMs, newestTs: 0, seenAt: wallMs, accepted: false });
  }

  skew(wallMs: number): ClockSkew {
    const fresh = [...this.known.values()].filter(({ seenAt }) => wallMs - seenAt < FRESH_MS);
    const offsets = fresh.map(({ offsetMs }) => offsetMs).sort((a, b) => a - b);
    const offsetMs = Math.round(offsets[Math.floor(offsets.length / 2)] ?? 0);
    return { senders: offsets.length, offsetMs, alarm: Math.abs(offsetMs) > SKEW_ALARM_MS };
  }

  /** What the next run has to know: this run's senders, and of those before it the silent ones. */
  snapshot(): SenderClock[] {
    const heard = [...this.known].filter(([, { accepted }]) => accepted);
    const silent = [...this.floors].filter(([kid]) => this.known.get(kid)?.accepted !== true);
    return [
      ...silent.map(([kid, { ts, offsetMs }]) => ({ kid, offsetMs, newestTs: ts })),
      ...heard.map(([kid, { offsetMs, newestTs }]) => ({ kid, offsetMs, newestTs })),
    ];
  }
}
