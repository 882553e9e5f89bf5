/**
 * Versions: what may be one, and which of two is newer. Pure.
 *
 * Runs of digits compare as numbers, whatever is between them as text; so counters (27500), dates
 * (2611221030, 2026-11-22T10:30:00) and dotted versions (1.10.2) all order as people expect.
 */
import { CodedError } from '@peerage/sdk';
import { MAX_NAME_CHARACTERS } from './limits.js';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]*$/;

/** Whether a text may name a component, a version or a file: one harmless part of a path. */
export function isName(text: string): boolean {
  return text.length <= MAX_NAME_CHARACTERS && NAME.test(text) && !text.includes('..');
}

/** @throws CodedError `E_UPDATE_NAME` */
export function demandName(what: string, text: string): string {
  if (isName(text)) return text;
  throw new CodedError('E_UPDATE_NAME', `${JSON.stringify(text.slice(0, 80))} is no ${what}`, {
    expected: `1 to ${MAX_NAME_CHARACTERS} letters, digits and . _ + -, a letter or digit first`,
  });
}

/** Below 0 if `a` is older than `b`, 0 if they are the same version. */
export function compareVersions(a: string, b: string): number {
  const mine = partsOf(a);
  const theirs = partsOf(b);
  for (let at = 0; at < Math.max(mine.length, theirs.length); at += 1) {
    const order = compareParts(mine[at], theirs[at]);
    if (order !== 0) return order;
  }
  return 0;
}

function partsOf(version: string): string[] {
  return version.match(/[0-9]+|[^0-9]+/g) ?? [];
}

function compareParts(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  const areNumbers = /^[0-9]/.test(a) && /^[0-9]/.test(b);
  if (!areNumbers) return a < b ? -1 : a > b ? 1 : 0;
  const [x, y] = [BigInt(a), BigInt(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}
