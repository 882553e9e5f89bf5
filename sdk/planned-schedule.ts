/**
 * The one implementation of {@link Schedule}, over timers that it is given: real ones in a plugin's
 * process, a clock to advance in the test kit.
 *
 * Invariants: a job runs once at a time; the next run is planned when the last has ended; nothing is
 * planned for a job that was disposed of.
 */
import { CodedError } from './errors.js';
import type { CancellationSignal, Disposable } from './lifecycle.js';
import { type Job, type PlannedJob, Schedule } from './schedule.js';

/** Time and chance as the schedule needs them. */
export interface Timers {
  nowMs(): number;
  /** Calls back once after that time; disposing prevents it. */
  after(delayMs: number, callback: () => void): Disposable;
  /** At least 0, less than 1. */
  random(): number;
}

export interface PlannedScheduleOptions {
  readonly timers: Timers;
  /** Told of a run that failed. */
  onFailure(job: string, error: unknown): void;
}

/** Most jobs that one plugin may have: more is a loop that plans. */
const JOBS_MAX = 256;

export class PlannedSchedule extends Schedule {
  private readonly options: PlannedScheduleOptions;
  private readonly jobs = new Set<Planned>();

  constructor(options: PlannedScheduleOptions) {
    super();
    this.options = options;
  }

  override plan(job: Job): PlannedJob {
    const { afterSuccessMs, afterFailureMs, jitterShare = 0, atStart = [] } = job;
    const times = [afterSuccessMs, afterFailureMs, ...atStart.map(({ delayMs }) => delayMs)];
    const isJitter = jitterShare >= 0 && jitterShare <= 1;
    if (!isJitter || times.some((time) => !(time >= 0)) || this.jobs.size >= JOBS_MAX) {
      throw new CodedError('E_JOB_INVALID', `the job "${job.name}" cannot be planned`, {
        expected: `times of at least 0 ms, jitter of 0 to 1, at most ${JOBS_MAX} jobs`,
      });
    }
    const planned = new Planned(job, this.options, () => this.jobs.delete(planned));
    this.jobs.add(planned);
    return planned;
  }
}

class Planned implements PlannedJob {
  private readonly job: Job;
  private readonly options: PlannedScheduleOptions;
  private readonly onDispose: () => void;
  private readonly cancellation = new Cancellation();
  /** When the first runs are due, the earliest first. */
  private readonly starts: number[];
  private timer: Disposable | undefined;
  private running: Promise<void> | undefined;

  constructor(job: Job, options: PlannedScheduleOptions, onDispose: () => void) {
    this.job = job;
    this.options = options;
    this.onDispose = onDispose;
    const now = options.timers.nowMs();
    const delays = (job.atStart ?? [{ delayMs: 0 }]).map(({ delayMs }) => delayMs);
    this.starts = delays.sort((a, b) => a - b).map((delayMs) => now + delayMs);
    const [first] = this.starts;
    if (first !== undefined) this.runAfter(first - now);
  }

  now(): Promise<void> {
    if (this.cancellation.aborted) {
      return Promise.reject(new CodedError('E_CANCELLED', `the job "${this.job.name}" is over`));
    }
    this.running ??= this.run();
    return this.running;
  }

  dispose(): void {
    this.timer?.dispose();
    this.cancellation.abort();
    this.onDispose();
  }

  private async run(): Promise<void> {
    const { job, options } = this;
    this.timer?.dispose();
    let pauseMs = job.afterSuccessMs;
    try {
      await job.run(this.cancellation);
    } catch (error) {
      pauseMs = job.afterFailureMs;
      if (!this.cancellation.aborted) options.onFailure(job.name, error);
      throw error;
    } finally {
      this.running = undefined;
      this.next(pauseMs);
    }
  }

  private next(pauseMs: number): void {
    const { timers } = this.options;
    const now = timers.nowMs();
    while ((this.starts[0] ?? Infinity) <= now) this.starts.shift();
    const share = (this.job.jitterShare ?? 0) * (timers.random() * 2 - 1);
    this.runAfter(Math.min(pauseMs * (1 + share), (this.starts[0] ?? Infinity) - now));
  }

  private runAfter(delayMs: number): void {
    if (this.cancellation.aborted) return;
    this.timer = this.options.timers.after(delayMs, () => {
      // Whoever called now() has the error; the schedule itself goes on after it was told.
      this.now().catch(() => undefined);
    });
  }
}

/** A signal without Node's or the browser's types. */
class Cancellation implements CancellationSignal {
  aborted = false;
  private readonly listeners = new Set<() => void>();

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    for (const listener of [...this.listeners]) listener();
    this.listeners.clear();
  }
}
