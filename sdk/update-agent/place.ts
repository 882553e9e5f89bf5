/**
 * Files into a directory that is not ours, all of them or none: `/var/lib/clamav`, a product's own.
 *
 *   copy beside ─► journal ─► keep the old under a second name ─► rename ─► …use it… ─► commit
 *
 * Invariants: until `commit` everything can be put back as it was; after a power cut at any step
 * {@link recoverPlacement} puts it back; a full disk fails before the first rename.
 */
import { errorCode } from '@peerage/sdk';
import { type Disk, realDisk, replaceFile } from './disk.js';

/** A file and the place that it goes to. */
export interface Move {
  /** Absent: what is at the place goes, and nothing comes. */
  readonly from?: string;
  readonly to: string;
}

interface Journal {
  readonly moves: readonly { readonly to: string; readonly existed: boolean }[];
}

/** Files that are in place, and the way back. */
export interface Placement {
  /** They are good: the old ones go. */
  commit(): Promise<void>;
  /** They are not: the old ones come back. */
  revert(): Promise<void>;
}

const FRESH = '.peerage-new';
const OLD = '.peerage-old';

/** Puts files in place; `journalPath` is where the way back is written down. */
export async function placeFiles(
  moves: readonly Move[],
  journalPath: string,
  disk: Disk = realDisk,
): Promise<Placement> {
  await recoverPlacement(journalPath, disk);
  const journal = await prepare(moves, disk);
  try {
    await replaceFile(disk, journalPath, Buffer.from(JSON.stringify(journal)));
    for (const [at, { to, existed }] of journal.moves.entries()) {
      if (existed) {
        await disk.remove(to + OLD);
        await keepOld(disk, to);
      }
      if (moves[at]?.from === undefined) await disk.remove(to);
      else await disk.rename(to + FRESH, to);
    }
  } catch (error) {
    // What cannot be put back now is put back by the journal at the next start.
    await recoverPlacement(journalPath, disk).catch(() => undefined);
    await removeAll(disk, journal, FRESH).catch(() => undefined);
    throw error;
  }
  return {
    commit: async () => {
      await disk.remove(journalPath);
      await removeAll(disk, journal, OLD);
    },
    revert: async () => void (await recoverPlacement(journalPath, disk)),
  };
}

/** Puts back what was there before a placement that was not committed; harmless otherwise. */
export async function recoverPlacement(
  journalPath: string,
  disk: Disk = realDisk,
): Promise<boolean> {
  const journal = parse(await disk.read(journalPath));
  if (journal === undefined) return false;
  for (const { to, existed } of journal.moves) {
    if (!existed) await disk.remove(to);
    else if ((await disk.sizeBytes(to + OLD)) !== undefined) await disk.rename(to + OLD, to);
  }
  await disk.remove(journalPath);
  await removeAll(disk, journal, OLD);
  await removeAll(disk, journal, FRESH);
  return true;
}

/** Everything that needs room on the disk, before anything is changed. */
async function prepare(moves: readonly Move[], disk: Disk): Promise<Journal> {
  const prepared: { to: string; existed: boolean }[] = [];
  try {
    for (const { from, to } of moves) {
      const existed = (await disk.sizeBytes(to)) !== undefined;
      prepared.push({ to, existed });
      if (from !== undefined) await disk.copy(from, to + FRESH);
    }
  } catch (error) {
    await removeAll(disk, { moves: prepared }, FRESH).catch(() => undefined);
    throw error;
  }
  return { moves: prepared };
}

async function keepOld(disk: Disk, to: string): Promise<void> {
  try {
    await disk.link(to, to + OLD);
  } catch (error) {
    // A file system without links.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errorCode(error))) throw error;
    await disk.copy(to, `${to}${OLD}.part`);
    await disk.rename(`${to}${OLD}.part`, to + OLD);
  }
}

async function removeAll(disk: Disk, { moves }: Journal, suffix: string): Promise<void> {
  for (const { to } of moves) await disk.remove(to + suffix);
}

function parse(bytes: Buffer | undefined): Journal | undefined {
  return bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as Journal);
}
