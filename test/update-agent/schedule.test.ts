/** When a feed is checked, by its settings. */
import { deepEqual, equal } from 'node:assert/strict';
import { checkJobs, DEFAULT_TIMES } from '@peerage/update-agent';

const HOUR_MS = 3_600_000;

describe('update agent: the schedule', () => {
  it('checks at start, after 5 minutes, 12 h after success and 6 h after failure', () => {
    const [job, ...more] = checkJobs('clamav', DEFAULT_TIMES, new Date());
    deepEqual(job?.atStart, [{ delayMs: 0 }, { delayMs: 300_000 }]);
    deepEqual([job?.afterSuccessMs, job?.afterFailureMs], [12 * HOUR_MS, 6 * HOUR_MS]);
    equal(more.length, 0);
  });

  it('checks once a day more at a time of day, today or tomorrow', () => {
    const times = { ...DEFAULT_TIMES, dailyAt: '03:30' };
    const before = checkJobs('clamav', times, new Date(2026, 10, 22, 2, 30))[1];
    deepEqual(before?.atStart, [{ delayMs: HOUR_MS }]);
    equal(before?.afterSuccessMs, 24 * HOUR_MS);
    const after = checkJobs('clamav', times, new Date(2026, 10, 22, 4, 30))[1];
    deepEqual(after?.atStart, [{ delayMs: 23 * HOUR_MS }]);
  });
});
