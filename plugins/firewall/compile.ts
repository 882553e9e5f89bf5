/**
 * Compile: the lists of all sources, less what is guarded, become the one set that is enforced.
 *
 * Flow: lists ─► compile ─► blocks ─► targets. Pure. Every entry that is kept out or narrowed is
 * counted and, up to a limit, named with its source, line and the guard. The version is the hash of
 * the set as text, so equal sets are equal on every machine.
 */
import { createHash } from 'node:crypto';
import type { Guard } from './guards.js';
import { MAX_NAMED_ENTRIES } from './limits.js';
import type { ListEntry } from './lists/list.js';
import { merged, touching, without } from './merge.js';
import { contains, formatPrefix, type Prefix } from './prefix.js';

/** The list of one source. */
export interface SourceList {
  readonly source: string;
  readonly entries: readonly ListEntry[];
  /** When its publisher made it, where the list says so. */
  readonly madeAtSeconds?: number;
}

/** An entry that does not stand in the set as its list has it. */
export interface KeptOut {
  readonly source: string;
  readonly line: number;
  readonly entry: string;
  /** What it would have blocked. */
  readonly guard: string;
  /** `whole`: nothing of it is blocked; `part`: the rest of it is. */
  readonly extent: 'whole' | 'part';
}

export interface Blocks {
  /** Sixteen hexadecimal digits. */
  readonly version: string;
  readonly prefixes: readonly Prefix[];
  readonly keptOut: readonly KeptOut[];
  readonly keptOutCount: number;
}

export function compile(lists: readonly SourceList[], guards: readonly Guard[]): Blocks {
  const fences = merged(guards);
  const keptOut: KeptOut[] = [];
  let keptOutCount = 0;
  const open: Prefix[] = [];
  for (const { source, entries } of lists) {
    for (const entry of entries) {
      const [fence] = touching(fences, entry);
      if (fence === undefined) {
        open.push(entry);
        continue;
      }
      keptOutCount += 1;
      if (keptOut.length < MAX_NAMED_ENTRIES) keptOut.push(named(source, entry, fence, guards));
      for (const piece of without(entry, fences)) open.push(piece);
    }
  }
  const prefixes = merged(open);
  return { version: versionOf(prefixes), prefixes, keptOut, keptOutCount };
}

function named(source: string, entry: ListEntry, fence: Prefix, guards: readonly Guard[]): KeptOut {
  // The most particular reason that covers all of it: the LAN's own subnet, not the private range.
  const covering = guards.filter((guard) => contains(guard, entry));
  const near = covering.length > 0 ? covering : guards.filter((guard) => contains(entry, guard));
  const closest = near.reduce<Guard | undefined>(
    (best, guard) => (best === undefined || guard.length > best.length ? guard : best),
    undefined,
  );
  return {
    source,
    line: entry.line,
    entry: formatPrefix(entry),
    guard: `${closest?.why ?? 'guarded'} ${formatPrefix(closest ?? fence)}`,
    extent: contains(fence, entry) ? 'whole' : 'part',
  };
}

function versionOf(prefixes: readonly Prefix[]): string {
  const text = prefixes.map((prefix) => `${formatPrefix(prefix)}\n`).join('');
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
