/**
 * Keeps over restarts what the gate knows of its senders' clocks (PROTOCOL §2.4), so that what was
 * heard before a restart is not acted on again after it.
 *
 * Invariants: a sender is on disk a moment after it was first heard, also if the node is killed
 * then; a file that cannot be read or written stops nobody, it only makes the node forget.
 */
import type { Clock } from '../base/time.js';
import type { Logger } from '../ports/log.js';
import type { SenderClock, SenderClocks } from '../wire/clocks.js';

/** How often known senders' clocks are written: they change by drift alone. */
const KEEP_MS = 60_000;

export interface ClockKeeperOptions {
  readonly clocks: SenderClocks;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly load: () => Promise<unknown>;
  readonly save: (clocks: readonly SenderClock[]) => Promise<void>;
}

export class ClockKeeper {
  private readonly options: ClockKeeperOptions;
  private timer: NodeJS.Timeout | undefined;
  private saving: Promise<void> | undefined;
  private again = false;

  constructor(options: ClockKeeperOptions) {
    this.options = options;
  }

  /** Before the first packet is heard. */
  async start(): Promise<void> {
    const { clocks, clock, load, logger } = this.options;
    const found = await load().catch((error: unknown) => {
      logger.log('warn', 'clocks-not-read', { error });
      return undefined;
    });
    clocks.restore(Array.isArray(found) ? found.filter(isSenderClock) : [], clock.wallMs());
    clocks.onNewSender = () => this.save();
    this.timer = setInterval(() => this.save(), KEEP_MS);
    this.timer.unref();
  }

  /** After the last one. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.save();
    while (this.saving !== undefined) await this.saving;
  }

  /** One writing at a time; what changed meanwhile is in the next one. */
  private save(): void {
    this.again = true;
    this.saving ??= this.saveAll().finally(() => {
      this.saving = undefined;
    });
  }

  private async saveAll(): Promise<void> {
    const { clocks, save, logger } = this.options;
    while (this.again) {
      this.again = false;
      await save(clocks.snapshot()).catch((error: unknown) => {
        logger.log('warn', 'clocks-not-saved', { error });
      });
    }
  }
}

function isSenderClock(value: unknown): value is SenderClock {
  if (typeof value !== 'object' || value === null) return false;
  const { kid, offsetMs, newestTs } = value as Partial<Record<keyof SenderClock, unknown>>;
  return typeof kid === 'string' && Number.isFinite(offsetMs) && Number.isFinite(newestTs);
}
