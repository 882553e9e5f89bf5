/** Time as the heart sees it: integer or fractional milliseconds of a monotonic clock, passed in. */

/** A moment in milliseconds of a clock that never goes back; only differences mean anything. */
export type InstantMs = number;

/** Where the shells take their time from; the simulated world has its own. */
export interface Clock {
  /** Monotonic time in milliseconds. */
  nowMs(): InstantMs;
  /** Wall-clock time in milliseconds since 1970. */
  wallMs(): number;
}
