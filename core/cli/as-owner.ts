/**
 * Commands that change the state directory act as its owner when root gives them: what they write
 * must be readable for the service, which runs as a user of its own.
 */
import { stat } from 'node:fs/promises';

/** From now on files are made by the owner of the directory; nothing changes for other users. */
export async function actAsOwner(stateDirectory: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const owner = await stat(stateDirectory).catch(() => undefined);
  if (owner === undefined || owner.uid === 0) return;
  process.setegid?.(owner.gid);
  process.seteuid?.(owner.uid);
}
