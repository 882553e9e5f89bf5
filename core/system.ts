/** The operating system's clock, chance and standard output, behind the core's own contracts. */
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { describeError, errorCode } from '@peerage/sdk';
import type { Random } from './base/random.js';
import type { Clock } from './base/time.js';
import type { LogFields, Logger, LogLevel } from './ports/log.js';

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
};

/** Unpredictable: request nonces come from it. */
export class SystemRandom implements Random {
  private pool = randomBytes(4096);
  private at = 0;

  uint32(): number {
    if (this.at === this.pool.length) {
      this.pool = randomBytes(this.pool.length);
      this.at = 0;
    }
    const value = this.pool.readUInt32BE(this.at);
    this.at += 4;
    return value;
  }

  fraction(): number {
    return this.uint32() / 4294967296;
  }
}

/** One JSON line an event on standard output. */
export class LineLogger implements Logger {
  log(level: LogLevel, event: string, fields: LogFields = {}): void {
    const { error, ...rest } = fields;
    const why =
      error === undefined ? {} : { code: errorCode(error), error: describeError(error), ...rest };
    const line = {
      time: new Date().toISOString(),
      level,
      event,
      ...(error === undefined ? rest : why),
    };
    process.stdout.write(`${JSON.stringify(line, plain)}\n`);
  }
}

/** A plugin may log what JSON has no form for. */
function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
