/**
 * Bytes at a bounded rate. Pure arithmetic over the time that is passed in: whoever takes bytes is
 * told how long to wait before using them. Invariant: over any time at most `rate` bytes a second
 * pass, and what BURST_MS of idleness saved.
 */
import type { InstantMs } from './time.js';

/** Idleness that may be made up for, in milliseconds: a timer is late by about so much. */
const BURST_MS = 100;
/** At most this part of a second's bytes at a time, so that readers see a steady flow. */
const STEPS_PER_SECOND = 8;

export class Pace {
  private readonly bytesPerSecond: number;
  private freeAt: InstantMs = 0;

  /** @param bytesPerSecond 0: no limit */
  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** Most bytes to take at once. */
  get stepBytes(): number {
    return this.bytesPerSecond === 0
      ? Number.POSITIVE_INFINITY
      : Math.max(1, Math.floor(this.bytesPerSecond / STEPS_PER_SECOND));
  }

  /** Takes bytes; milliseconds to wait before they are used. */
  take(bytes: number, now: InstantMs): number {
    if (this.bytesPerSecond === 0) return 0;
    const start = Math.max(this.freeAt, now - BURST_MS);
    this.freeAt = start + (bytes * 1000) / this.bytesPerSecond;
    return Math.max(0, this.freeAt - now);
  }
}
