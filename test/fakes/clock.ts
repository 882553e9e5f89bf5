/** A clock that goes on only when the test says so. */
import type { Clock } from '@peerage/core/base/time.js';

export class AdjustableClock implements Clock {
  private elapsedMs = 0;
  private readonly startMs = Date.now();

  nowMs(): number {
    return this.elapsedMs;
  }

  wallMs(): number {
    return this.startMs + this.elapsedMs;
  }

  advance(milliseconds: number): void {
    this.elapsedMs += milliseconds;
  }
}
