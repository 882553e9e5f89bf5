/**
 * A disk that ends: the power is cut, or it is full, at a chosen step.
 *
 * Every operation that changes something is a step. After the cut nothing works any more, as in a
 * process that is gone; the step itself is done or not done as the test wants.
 */
import { type Disk, realDisk } from '@peerage/update-agent';

export interface CutDisk extends Disk {
  /** How many steps were asked for. */
  steps(): number;
}

const CHANGES = ['write', 'copy', 'rename', 'link', 'remove', 'makeDirectory'] as const;

/** Works for `lives` steps; the one after fails, with those behind it if `isForGood`. */
export function cutDisk(lives: number, isForGood = true, code = 'ECUT'): CutDisk {
  let steps = 0;
  const step = async <T>(run: () => Promise<T>): Promise<T> => {
    steps += 1;
    if (isForGood ? steps > lives : steps === lives + 1) {
      throw Object.assign(new Error(`cut at step ${steps}`), { code });
    }
    return run();
  };
  const changes = CHANGES.map((name) => {
    const work = realDisk[name] as (...args: unknown[]) => Promise<void>;
    return [name, (...args: unknown[]) => step(() => work(...args))] as const;
  });
  return { ...realDisk, ...Object.fromEntries(changes), steps: () => steps };
}
