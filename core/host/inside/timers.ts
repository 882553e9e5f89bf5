/** The time of a plugin's process for its schedule: monotonic, and longer than one timer can be. */
import type { Disposable } from '@peerage/sdk';
import type { Timers } from '@peerage/sdk/planned-schedule.js';

/** The longest that one of Node's timers can be. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const processTimers: Timers = {
  nowMs: () => performance.now(),
  random: () => Math.random(),
  after(delayMs: number, callback: () => void): Disposable {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const partMs = Math.min(leftMs, TIMER_MS_MAX);
      timer = setTimeout(() => (leftMs > partMs ? arm(leftMs - partMs) : callback()), partMs);
    };
    arm(delayMs);
    return { dispose: () => clearTimeout(timer) };
  },
};
