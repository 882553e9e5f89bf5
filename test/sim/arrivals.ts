/**
 * One broadcast on its way: who gets it when. A thousand receivers are a thousand events; kept here in
 * the order of time, they take one place in the heap of events, that of the next of them.
 *
 * A moment and a receiver are one number, so that they are sorted as numbers: the delay in steps of
 * a nanosecond, then the receiver's index. Invariant: at most RECEIVERS_MAX receivers.
 */

/** Delays are rounded to this, in milliseconds: about a nanosecond. */
const STEP_MS = 2 ** -20;
export const RECEIVERS_MAX = 2 ** 14;

export class Arrivals {
  private readonly sentAt: number;
  private readonly keys: Float64Array;
  private count = 0;
  private next = 0;

  /** @param sentAt when it was sent @param most arrivals that there can be */
  constructor(sentAt: number, most: number) {
    this.sentAt = sentAt;
    this.keys = new Float64Array(most);
  }

  add(receiver: number, delayMs: number): void {
    this.keys[this.count] = Math.floor(delayMs / STEP_MS) * RECEIVERS_MAX + receiver;
    this.count += 1;
  }

  /** To be called when all were added. */
  sort(): void {
    this.keys.subarray(0, this.count).sort();
  }

  /** When the next one is due; `undefined` when all are through. */
  get nextAt(): number | undefined {
    if (this.next === this.count) return undefined;
    return this.sentAt + Math.floor((this.keys[this.next] ?? 0) / RECEIVERS_MAX) * STEP_MS;
  }

  /** Takes the next one out. @returns the receiver's index */
  take(): number {
    const key = this.keys[this.next] ?? 0;
    this.next += 1;
    return key % RECEIVERS_MAX;
  }
}
