/** Traffic at a rate, for programs of the lab that send on purpose so much a second. */
import { setInterval } from 'node:timers/promises';

/** Between two bursts, in milliseconds. */
const BURST_EVERY_MS = 2;

/**
 * Calls `send` with 0, 1, 2 … at a rate for a while; what a busy machine missed is caught up with.
 * @returns how often it was called
 */
export async function atRate(
  perSecond: number,
  seconds: number,
  send: (number: number) => void,
): Promise<number> {
  const startedAt = performance.now();
  let sent = 0;
  for await (const _ of setInterval(BURST_EVERY_MS)) {
    const elapsed = Math.min(seconds, (performance.now() - startedAt) / 1000);
    for (const due = Math.floor(elapsed * perSecond); sent < due; sent += 1) send(sent);
    if (elapsed >= seconds) break;
  }
  return sent;
}

/** Waits, for programs that must leave others time to answer. */
export async function linger(ms: number): Promise<void> {
  for await (const _ of setInterval(ms)) return;
}
