/** A log that remembers, and that a test can wait on. */
import type { LogFields, Logger, LogLevel } from '@peerage/core/ports/log.js';

export interface LogLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

export class RecordingLogger implements Logger {
  readonly lines: LogLine[] = [];
  private waiting: Array<() => void> = [];

  log(level: LogLevel, event: string, fields: LogFields = {}): void {
    this.lines.push({ level, event, fields });
    const waiting = this.waiting;
    this.waiting = [];
    for (const wake of waiting) wake();
  }

  all(event: string): LogLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** Resolves when `event` was logged `times` times in all. */
  async until(event: string, times = 1): Promise<LogLine[]> {
    while (this.all(event).length < times) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    return this.all(event);
  }
}
