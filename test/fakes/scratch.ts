/** A directory of a test's own, removed when its suite is over. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Call it inside `describe`; the function returned names a new path each time it is called. */
export function useScratch(): (name?: string) => string {
  let root: string | undefined;
  let count = 0;
  after(async () => {
    if (root !== undefined) await rm(root, { recursive: true, force: true });
  });
  return (name = 'd') => {
    root ??= mkdtempSync(join(tmpdir(), 'pg-'));
    count += 1;
    return join(root, `${name}${count}`);
  };
}
