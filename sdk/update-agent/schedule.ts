/**
 * When to check: settings to the jobs that the schedule of the SDK takes. Pure.
 *
 * At start, again a while after (a machine that has just booted may not have had its network),
 * then 12 h after a successful check and 6 h after an unsuccessful one, and at a time of day.
 */

/** When a feed is checked; the defaults are those of {@link DEFAULT_TIMES}. */
export interface CheckTimes {
  /** After the start, in seconds; one check each. */
  readonly atStartSeconds: readonly number[];
  readonly afterSuccessHours: number;
  readonly afterFailureHours: number;
  /** Local time of one further check a day, `hh:mm`; none if absent. */
  readonly dailyAt?: string;
  /** Share by which each wait is drawn longer or shorter, so that a LAN does not move as one. */
  readonly jitterShare: number;
}

export const DEFAULT_TIMES: CheckTimes = {
  atStartSeconds: [0, 300],
  afterSuccessHours: 12,
  afterFailureHours: 6,
  jitterShare: 0.1,
};

/** What the schedule of the SDK takes, without the function to run. */
export interface CheckJob {
  readonly name: string;
  readonly atStart: readonly { readonly delayMs: number }[];
  readonly afterSuccessMs: number;
  readonly afterFailureMs: number;
  readonly jitterShare: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The jobs of a feed: the steady one, and the one of the time of day. */
export function checkJobs(feed: string, times: CheckTimes, now: Date): CheckJob[] {
  const steady: CheckJob = {
    name: `${feed} check`,
    atStart: times.atStartSeconds.map((seconds) => ({ delayMs: seconds * 1000 })),
    afterSuccessMs: times.afterSuccessHours * HOUR_MS,
    afterFailureMs: times.afterFailureHours * HOUR_MS,
    jitterShare: times.jitterShare,
  };
  if (times.dailyAt === undefined) return [steady];
  const delayMs = untilTimeOfDayMs(times.dailyAt, now);
  const daily = { afterSuccessMs: DAY_MS, afterFailureMs: DAY_MS, jitterShare: 0 };
  return [steady, { name: `${feed} daily check`, atStart: [{ delayMs }], ...daily }];
}

/** From `now` to the next `hh:mm` of the local clock. */
export function untilTimeOfDayMs(timeOfDay: string, now: Date): number {
  const [hours = 0, minutes = 0] = timeOfDay.split(':').map(Number);
  const next = new Date(now);
  next.setHours(hours, minutes, 0, 0);
  const delayMs = next.getTime() - now.getTime();
  return delayMs > 0 ? delayMs : delayMs + DAY_MS;
}
