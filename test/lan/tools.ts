/** Which programs a scenario needs, and what the lab says where one is missing. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { SYSTEM_PATH } from './place.js';

/** The word for why it cannot be run here, `undefined` if all programs are there. */
export function missingTools(programs: readonly string[]): string | undefined {
  const missing = programs.filter((program) => !isThere(program));
  return missing.length === 0 ? undefined : `skipped: needs ${missing.join(', ')}`;
}

function isThere(program: string): boolean {
  return SYSTEM_PATH.split(':').some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
