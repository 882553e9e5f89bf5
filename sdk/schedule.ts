/** `Schedule`: jobs at times, one run of a job at a time, the next one planned from the last's end. */
import { sharedToken } from './injection.js';
import type { CancellationSignal, Disposable } from './lifecycle.js';

/** Work that comes again. All times in milliseconds. */
export interface Job {
  /** Names it in the log. */
  readonly name: string;
  /** Does the work; throwing is failing. The signal fires when the job is disposed of. */
  run(signal: CancellationSignal): Promise<void>;
  /** Runs this long after the plan was made; at once if absent, never by itself if empty. */
  readonly atStart?: readonly { readonly delayMs: number }[];
  /** From the end of a run that succeeded to the beginning of the next. */
  readonly afterSuccessMs: number;
  /** The same after one that failed. */
  readonly afterFailureMs: number;
  /** Varies both pauses by chance: 0.1 is ±10 %; 0 by default, at most 1. */
  readonly jitterShare?: number;
}

/** A job that was planned; disposing ends it, its running run is told by the signal. */
export interface PlannedJob extends Disposable {
  /** Runs it now, or joins the run that is under way; rejects if that run fails. */
  now(): Promise<void>;
}

abstract class ScheduleBase {
  /** Plans a job. Push the result to `context.subscriptions`. @throws CodedError `E_JOB_INVALID` */
  abstract plan(job: Job): PlannedJob;
}

/** Jobs at times; inject it by type. */
export const Schedule = sharedToken('Schedule', ScheduleBase);
export type Schedule = ScheduleBase;
