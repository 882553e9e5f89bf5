/**
 * Waiting for a condition that can only be asked for: the one place in the lab that polls.
 *
 * Used where a program offers no event to wait on (a node's peers, a namespace's processes).
 * Invariant: at most one look every {@link LOOK_EVERY_MS}, and never beyond the deadline.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { CodedError } from '@peerage/sdk';

/** Between two looks, in milliseconds: a look may cost a whole process. */
const LOOK_EVERY_MS = 100;

/**
 * The first value that `look` gives other than `undefined`.
 * @throws CodedError `E_LAB_TIMEOUT` when the deadline passes, with the last thing seen
 */
export async function until<T>(
  what: string,
  deadlineMs: number,
  look: () => Promise<T | undefined> | T | undefined,
  lastSeen: () => string = () => '',
): Promise<T> {
  const endAt = performance.now() + deadlineMs;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() >= endAt) {
      throw new CodedError('E_LAB_TIMEOUT', `not seen within ${deadlineMs} ms: ${what}`, {
        expected: what,
        action: lastSeen(),
      });
    }
    await pause(LOOK_EVERY_MS);
  }
}
