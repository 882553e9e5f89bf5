/** A body at a bounded rate: what a node sends to its peers (core.uploadRateKiBps). */
import { setTimeout as pause } from 'node:timers/promises';
import type { Pace } from '../base/pace.js';
import type { Clock } from '../base/time.js';

/** The same bytes, in steps that fit the rate; all bodies of one pace share it. */
export async function* paced(
  body: AsyncIterable<Uint8Array>,
  pace: Pace,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    const { stepBytes } = pace;
    for (let at = 0; at < chunk.length; at += stepBytes) {
      const part = chunk.subarray(at, at + stepBytes);
      const waitMs = pace.take(part.length, clock.nowMs());
      if (waitMs > 0) await pause(waitMs);
      yield part;
    }
  }
}
