/**
 * The directory that a plugin's process writes to, made before it starts. Invariant: with a user of
 * its own (`grant.uid`) everything in it is that user's, also what an earlier process left; links are
 * never followed.
 */
import { lchown, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export async function makeDataDirectory(path: string, uid: number | undefined): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (uid === undefined) return;
  await lchown(path, uid, uid);
  const entries = await readdir(path, { recursive: true });
  for (const entry of entries) await lchown(join(path, entry), uid, uid);
}
