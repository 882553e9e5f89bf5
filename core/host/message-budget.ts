/**
 * What the messages of one plugin may cost the core and so all others. Calls are answered at a
 * bounded rate: whoever makes more waits for his replies, and is harmed by nothing else. What asks
 * for nothing (log lines, garbage, calls beyond those in work) cannot be made to wait, so too much of
 * it is a flood, which ends the process.
 *
 * Invariant: at most CALLS_PER_SLICE calls begin in a slice, in the order in which they came.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock, InstantMs } from '../base/time.js';

/** 5000 a second, each below 0.1 ms of the core; in slices so short that nobody notices one. */
const CALLS_PER_SLICE = 500;
const SLICE_MS = 100;
/** Messages in a second that ask for nothing. */
export const IDLE_MESSAGES_MAX = 2000;
const SECOND_MS = 1000;

export class MessageBudget {
  private readonly clock: Clock;
  private sliceBegan: InstantMs = 0;
  private begun = 0;
  private secondBegan: InstantMs = 0;
  private idle = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Resolves when the next call may begin; `undefined` if that is now. */
  call(): Promise<unknown> | undefined {
    const now = this.clock.nowMs();
    if (now - this.sliceBegan >= SLICE_MS) {
      // Those that wait have their places in the slices to come already.
      const over = Math.floor((now - this.sliceBegan) / SLICE_MS);
      this.sliceBegan += over * SLICE_MS;
      this.begun = Math.max(0, this.begun - over * CALLS_PER_SLICE);
    }
    const slice = Math.floor(this.begun / CALLS_PER_SLICE);
    this.begun += 1;
    if (slice === 0) return undefined;
    return pause(this.sliceBegan + slice * SLICE_MS - now);
  }

  /** Counts a message that asks for nothing; whether that is a flood. */
  isFlood(): boolean {
    const now = this.clock.nowMs();
    if (now - this.secondBegan >= SECOND_MS) {
      this.secondBegan = now;
      this.idle = 0;
    }
    this.idle += 1;
    return this.idle > IDLE_MESSAGES_MAX;
  }
}
