/** A clock that goes on only when the test says so, with the timers of all plugins of a LAN. */
import type { Disposable } from '@peerage/sdk';
import type { Timers } from '@peerage/sdk/planned-schedule.js';

/** Wall clock at the beginning: 2026-01-01. */
const START_MS = 1_767_225_600_000;
/** Turns of the event loop after which what a timer began has come to rest. */
const TURNS = 20;

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

export class TestClock implements Timers {
  private elapsedMs = 0;
  private readonly timers = new Set<Timer>();

  nowMs(): number {
    return this.elapsedMs;
  }

  /** Wall clock, milliseconds since 1970. */
  wallMs(): number {
    return START_MS + this.elapsedMs;
  }

  /** The middle: jitter changes nothing in tests. */
  random(): number {
    return 0.5;
  }

  after(delayMs: number, callback: () => void): Disposable {
    const timer = { atMs: this.elapsedMs + delayMs, callback };
    this.timers.add(timer);
    return { dispose: () => void this.timers.delete(timer) };
  }

  /** Timers that are still to come. */
  get pending(): number {
    return this.timers.size;
  }

  /** Lets this much time pass: every timer that is due runs, in order, and comes to rest. */
  async advance(milliseconds: number): Promise<void> {
    const endMs = this.elapsedMs + milliseconds;
    await this.settle();
    for (let next = this.next(endMs); next !== undefined; next = this.next(endMs)) {
      this.timers.delete(next);
      this.elapsedMs = Math.max(this.elapsedMs, next.atMs);
      next.callback();
      await this.settle();
    }
    this.elapsedMs = endMs;
  }

  /** Lets what was begun come to rest, without time passing. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn += 1) await new Promise(setImmediate);
  }

  private next(endMs: number): Timer | undefined {
    const due = [...this.timers].filter(({ atMs }) => atMs <= endMs);
    return due.sort((a, b) => a.atMs - b.atMs)[0];
  }
}
