/**
 * Policy: whether a list that was read may take the place of the one in force.
 *
 * Nobody signs most lists, so each is judged as if its publisher had made a mistake or were not the
 * publisher: how many entries, how wide, how much it changes, whether it is older. A list that is
 * refused changes nothing; what was in force for its source stays.
 */
import { CodedError } from '@peerage/sdk';
import type { ListEntry, ParsedList } from './lists/list.js';
import { difference, merged, touching } from './merge.js';
import { contains, formatPrefix, type Prefix } from './prefix.js';

export interface PolicySettings {
  readonly minEntries: number;
  readonly maxEntries: number;
  /** The part of the entries in force that one version may take away, in percent. */
  readonly maxShrinkPercent: number;
  /** How many entries one version may bring, in percent of those in force. */
  readonly maxGrowthPercent: number;
  /** The shortest prefix length, that is the widest block, of each family. */
  readonly widest4: number;
  readonly widest6: number;
}

/** Entries that may come or go whatever the percentages say: small lists change by jumps. */
const FREE_CHANGE = 50;

/** What is known of a source's list in force. */
export interface Standing {
  readonly entries: readonly Prefix[];
  readonly madeAtSeconds?: number | undefined;
}

/** @throws CodedError `E_LIST_POLICY` that names the source, and the line where there is one */
export function judgeList(
  source: string,
  list: ParsedList,
  policy: PolicySettings,
  guards: readonly Prefix[],
  standing: Standing | undefined,
): void {
  const { length } = list.entries;
  if (length < policy.minEntries || length > policy.maxEntries) {
    const bounds = `${policy.minEntries} to ${policy.maxEntries} entries`;
    throw refused(source, `it has ${length} entries`, bounds, 'minEntries or maxEntries');
  }
  for (const entry of list.entries) judgeWidth(source, entry, policy, guards);
  if (standing === undefined) return;
  if ((list.madeAtSeconds ?? Infinity) < (standing.madeAtSeconds ?? -Infinity)) {
    const expected = 'a list made no earlier than the one in force';
    throw refused(source, 'it is older than the list in force', expected, undefined);
  }
  judgeChange(source, list.entries, policy, standing);
}

function judgeWidth(
  source: string,
  entry: ListEntry,
  policy: PolicySettings,
  guards: readonly Prefix[],
): void {
  const widest = entry.family === 4 ? policy.widest4 : policy.widest6;
  if (entry.length >= widest) return;
  // Reserved space may be listed as wide as it is, for it is kept out anyway.
  if (touching(guards, entry).some((guard) => contains(guard, entry))) return;
  const place = `line ${entry.line}: ${formatPrefix(entry)} is wider than allowed`;
  const name = entry.family === 4 ? 'widest4' : 'widest6';
  throw refused(source, place, `no prefix shorter than /${widest}`, name);
}

function judgeChange(
  source: string,
  entries: readonly Prefix[],
  policy: PolicySettings,
  standing: Standing,
): void {
  const before = merged(standing.entries);
  const { added, removed } = difference(before, merged(entries));
  const allowed = (percent: number) => Math.max(FREE_CHANGE, (before.length * percent) / 100);
  if (removed.length > allowed(policy.maxShrinkPercent)) {
    const what = `it takes away ${removed.length} of ${before.length} entries`;
    throw refused(source, what, `at most ${policy.maxShrinkPercent} %`, 'maxShrinkPercent');
  }
  if (added.length > allowed(policy.maxGrowthPercent)) {
    const what = `it adds ${added.length} to ${before.length} entries`;
    throw refused(source, what, `at most ${policy.maxGrowthPercent} %`, 'maxGrowthPercent');
  }
}

function refused(
  source: string,
  what: string,
  expected: string,
  setting: string | undefined,
): CodedError {
  const change = setting === undefined ? '' : `; if it is right, change "${setting}"`;
  return new CodedError('E_LIST_POLICY', `${source}: ${what}`, {
    expected,
    action: `look at the list${change}`,
  });
}
