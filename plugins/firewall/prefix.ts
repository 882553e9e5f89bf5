/**
 * Address prefixes: what every list is turned into, and the only thing that reaches a target.
 *
 * Feed text is never passed on: a firewall's own parser resolves names (`localhost`) and takes
 * short forms (`1.2.3`). An entry is read strictly here and printed anew from its bits, so what is
 * enforced is what was judged. Invariant: the bits beyond a prefix's length are zero.
 */
import { isIP } from 'node:net';
import { MAX_RANGE_PREFIXES } from './limits.js';

export type Family = 4 | 6;

export interface Prefix {
  readonly family: Family;
  /** The address as a number; bits beyond `length` are zero. */
  readonly bits: bigint;
  readonly length: number;
}

/** Why a text is no entry; the caller adds where it stands. */
export class EntryFault extends Error {
  override readonly name = 'EntryFault';
}

const WIDTH: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };
const MAPPED_PREFIX = 0xffffn;

/** Number of addresses bits of a family. */
export function widthOf(family: Family): number {
  return WIDTH[family];
}

/** Reads `ADDRESS`, `ADDRESS/LENGTH` or `FIRST-LAST`. @throws EntryFault */
export function parseEntry(text: string): readonly Prefix[] {
  const dash = text.indexOf('-');
  if (dash >= 0) {
    const first = parseAddress(text.slice(0, dash).trim());
    const last = parseAddress(text.slice(dash + 1).trim());
    if (first.family !== last.family) throw new EntryFault('a range of two families');
    if (first.bits > last.bits) throw new EntryFault('a range that ends before it begins');
    return rangePrefixes(first.family, first.bits, last.bits);
  }
  const slash = text.indexOf('/');
  if (slash < 0) {
    const { family, bits } = parseAddress(text);
    return [{ family, bits, length: WIDTH[family] }];
  }
  const { family, bits } = parseAddress(text.slice(0, slash));
  return [prefixOf(family, bits, parseLength(text.slice(slash + 1), family))];
}

/** Reads what must be exactly one prefix. @throws EntryFault */
export function parsePrefix(text: string): Prefix {
  const [prefix, ...more] = parseEntry(text);
  if (prefix === undefined || more.length > 0) throw new EntryFault('a range, not one prefix');
  return prefix;
}

function parseLength(text: string, family: Family): number {
  const length = /^(?:0|[1-9]\d{0,2})$/.test(text) ? Number(text) : Number.NaN;
  if (length <= WIDTH[family]) return length;
  throw new EntryFault(`a prefix length that is not 0 to ${WIDTH[family]}`);
}

function parseAddress(text: string): { readonly family: Family; readonly bits: bigint } {
  if (text.includes('%')) throw new EntryFault('an address with a zone');
  switch (isIP(text)) {
    case 4:
      return { family: 4, bits: bits4(text) };
    case 6: {
      const bits = bits6(text);
      if (bits >> 32n === MAPPED_PREFIX) throw new EntryFault('an IPv4 address written as IPv6');
      return { family: 6, bits };
    }
    default:
      throw new EntryFault(/[g-z]/i.test(text) ? 'a name, not an address' : 'not an address');
  }
}

function bits4(text: string): bigint {
  let value = 0;
  for (const part of text.split('.')) value = value * 256 + Number(part);
  return BigInt(value);
}

function bits6(text: string): bigint {
  const [left = '', right] = text.split('::');
  const head = groups6(left);
  const tail = right === undefined ? [] : groups6(right);
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  return [...head, ...zeros, ...tail].reduce((bits, group) => (bits << 16n) | BigInt(group), 0n);
}

/** The 16-bit groups of one side of `::`; a dotted tail is two of them. */
function groups6(side: string): number[] {
  if (side === '') return [];
  return side.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const value = Number(bits4(group));
    return [Math.floor(value / 65_536), value % 65_536];
  });
}

/** The prefix of a length that an address lies in. */
export function prefixOf(family: Family, bits: bigint, length: number): Prefix {
  const host = BigInt(WIDTH[family] - length);
  return { family, bits: (bits >> host) << host, length };
}

/** The last address of a prefix. */
export function lastOf({ family, bits, length }: Prefix): bigint {
  return bits | ((1n << BigInt(WIDTH[family] - length)) - 1n);
}

/** Whether `inner` lies in `outer`. */
export function contains(outer: Prefix, inner: Prefix): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false;
  const host = BigInt(WIDTH[outer.family] - outer.length);
  return outer.bits >> host === inner.bits >> host;
}

/** The two halves of a prefix that is more than one address. */
export function halves({ family, bits, length }: Prefix): readonly [Prefix, Prefix] {
  const upper = bits | (1n << BigInt(WIDTH[family] - length - 1));
  return [
    { family, bits, length: length + 1 },
    { family, bits: upper, length: length + 1 },
  ];
}

/** The fewest prefixes that are exactly the addresses from `first` to `last`. */
function rangePrefixes(family: Family, first: bigint, last: bigint): readonly Prefix[] {
  const found: Prefix[] = [];
  for (let at = first; at <= last; ) {
    let length = WIDTH[family];
    while (length > 0) {
      const wider = prefixOf(family, at, length - 1);
      if (wider.bits !== at || lastOf(wider) > last) break;
      length -= 1;
    }
    const prefix = { family, bits: at, length };
    found.push(prefix);
    if (found.length > MAX_RANGE_PREFIXES) throw new EntryFault('a range of too many prefixes');
    at = lastOf(prefix) + 1n;
  }
  return found;
}

/** The order in which lists are kept: by family, address, then the wider first. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  if (a.family !== b.family) return a.family - b.family;
  if (a.bits !== b.bits) return a.bits < b.bits ? -1 : 1;
  return a.length - b.length;
}

/** The address of a prefix, without its length, in the form that everybody reads. */
export function formatAddress({ family, bits }: Prefix): string {
  if (family === 4) {
    const value = Number(bits);
    return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
  }
  const groups: string[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) {
    groups.push(((bits >> shift) & 0xffffn).toString(16));
  }
  return shortened(groups);
}

/** The longest run of two or more zero groups becomes `::`, the first of equals (RFC 5952). */
function shortened(groups: readonly string[]): string {
  let best = { at: -1, count: 1 };
  for (let at = 0; at < groups.length; at += 1) {
    let count = 0;
    while (groups[at + count] === '0') count += 1;
    if (count > best.count) best = { at, count };
    at += count;
  }
  if (best.at < 0) return groups.join(':');
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.count).join(':')}`;
}

/** A prefix as text: a single address without its length. */
export function formatPrefix(prefix: Prefix): string {
  const address = formatAddress(prefix);
  return prefix.length === WIDTH[prefix.family] ? address : `${address}/${prefix.length}`;
}
