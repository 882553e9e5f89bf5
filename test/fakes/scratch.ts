/** A directory of a test's own, removed when its suite is over. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Call it inside `describe`; the function returned names a new path each time it is called. */
export function useScratch(): (name?: string) => string {
  const root = mkdtempSync(join(tmpdir(), 'pg-'));
  let count = 0;
  after(() => rm(root, { recursive: true, force: true }));
  return (name = 'd') => {
    count += 1;
    return join(root, `${name}${count}`);
  };
}
