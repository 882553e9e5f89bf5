/**
 * Waits until the machine has little to do: what has just started is still busy with starting, and a
 * moment that is to be measured would begin in the middle of it.
 */
import { cpus } from 'node:os';
import { until } from './until.js';

/** Looked at over at least so much processor time, in milliseconds for each processor. */
const WINDOW_MS = 200;
/** Share of it that nobody used. */
const IDLE_MIN = 0.7;
const DEADLINE_MS = 30_000;

/** @throws CodedError `E_LAB_TIMEOUT` on a machine that others keep busy */
export async function atRest(): Promise<void> {
  let before = ticks();
  await until('the machine is at rest', DEADLINE_MS, () => {
    const now = ticks();
    const all = now.all - before.all;
    if (all < WINDOW_MS * cpus().length) return undefined;
    const idle = (now.idle - before.idle) / all;
    before = now;
    return idle >= IDLE_MIN ? true : undefined;
  });
}

function ticks(): { readonly idle: number; readonly all: number } {
  let [idle, all] = [0, 0];
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { idle, all };
}
