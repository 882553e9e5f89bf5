/** Where a node's state is; apart from the rest, so that commands that only ask start fast. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where the state is if nobody says otherwise. */
export function defaultStateDirectory(): string {
  const { PEERAGE_STATE, XDG_STATE_HOME } = process.env;
  if (PEERAGE_STATE !== undefined) return resolve(PEERAGE_STATE);
  if (process.getuid?.() === 0) return '/var/lib/peerage';
  return join(XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'peerage');
}
