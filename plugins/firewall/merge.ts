/**
 * From entries to the set that is enforced: no prefix within another, none of the protected ones.
 *
 * Neighbours are not joined into wider prefixes on purpose: each prefix of the result stands (or
 * stood) in a list, so the difference between two versions is as small as what changed in them.
 */
import { comparePrefixes, contains, halves, lastOf, type Prefix } from './prefix.js';

/** Sorted, without the prefixes that lie in another one. */
export function merged<T extends Prefix>(prefixes: readonly T[]): T[] {
  const kept: T[] = [];
  let family = 0;
  let reached = -1n;
  for (const prefix of [...prefixes].sort(comparePrefixes)) {
    // Two prefixes nest or are disjoint, and the wider one comes first.
    if (prefix.family === family && prefix.bits <= reached) continue;
    family = prefix.family;
    reached = lastOf(prefix);
    kept.push(prefix);
  }
  return kept;
}

/** The guards that a prefix lies in or that lie in it; `guards` is merged. */
export function touching(guards: readonly Prefix[], prefix: Prefix): readonly Prefix[] {
  let [low, high] = [0, guards.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const guard = guards[middle];
    if (guard !== undefined && comparePrefixes(guard, prefix) <= 0) low = middle + 1;
    else high = middle;
  }
  const before = guards[low - 1];
  if (before !== undefined && contains(before, prefix)) return [before];
  let end = low;
  for (let guard = guards[end]; guard !== undefined; guard = guards[end]) {
    if (!contains(prefix, guard)) break;
    end += 1;
  }
  return guards.slice(low, end);
}

/** What the guards leave of a prefix: itself, some pieces, or nothing; `guards` is merged. */
export function without(prefix: Prefix, guards: readonly Prefix[]): readonly Prefix[] {
  const near = touching(guards, prefix);
  const [first] = near;
  if (first === undefined) return [prefix];
  if (contains(first, prefix)) return [];
  return halves(prefix).flatMap((half) => without(half, near));
}

/** What has to be added to and taken from one set to get the other. */
export interface Difference {
  readonly added: readonly Prefix[];
  readonly removed: readonly Prefix[];
}

/** The difference between two merged sets. */
export function difference(from: readonly Prefix[], to: readonly Prefix[]): Difference {
  const added: Prefix[] = [];
  const removed: Prefix[] = [];
  let [left, right] = [0, 0];
  for (;;) {
    const [a, b] = [from[left], to[right]];
    if (a === undefined && b === undefined) return { added, removed };
    const order = a === undefined ? 1 : b === undefined ? -1 : comparePrefixes(a, b);
    if (order <= 0) left += 1;
    if (order >= 0) right += 1;
    if (order < 0 && a !== undefined) removed.push(a);
    if (order > 0 && b !== undefined) added.push(b);
  }
}
