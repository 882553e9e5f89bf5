/**
 * The directory that a plugin's process writes to, made before it starts. Invariant: with a user of
 * its own (`grant.uid`) everything in it is that user's, also what an earlier process left, and
 * nothing outside of it ever becomes his: what a plugin has had in its hands once is not walked
 * again, links are never followed, and a file with other names elsewhere is left alone.
 */
import { lchown, lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export async function makeDataDirectory(path: string, uid: number | undefined): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (uid === undefined || (await lstat(path)).uid === uid) return;
  await giveAway(path, uid);
}

/** The directory itself comes last, so that a walk that was cut off is begun again. */
async function giveAway(directory: string, uid: number): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await giveAway(path, uid);
    else if (entry.isFile() && (await lstat(path)).nlink === 1) await lchown(path, uid, uid);
  }
  await lchown(directory, uid, uid);
}
