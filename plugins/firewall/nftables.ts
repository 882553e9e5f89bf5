/**
 * nftables as text: what is said to `nft -f` to put a set of blocks in force. Pure.
 *
 * One table of our own. A hash set for each prefix length in use, looked up by masked address: an
 * interval set of 100,000 takes tens of seconds to change by 1,000 entries with nft 1.0, these take
 * milliseconds. Nothing is ever broken before its successor is made, so that no packet of an
 * address that is blocked before and after gets through in between:
 *
 *   whole:       add sets of the other side ─► point the rules to them ─► delete the old sets
 *   difference:  add what is new            ─► delete what is gone
 *
 * What the kernel holds is told by the name of an empty chain, `version_SIDE_VERSION`, which changes
 * in the same transaction as the rules. While `staging` is there too, a change is half-way.
 */
import type { Blocks } from './compile.js';
import type { Difference } from './merge.js';
import { type Family, formatAddress, type Prefix, prefixOf, widthOf } from './prefix.js';

export const TABLE = 'peerage_firewall';
const FULL = `inet ${TABLE}`;

/** The two names that each set can have, so that an old and a new one stand side by side. */
export type Side = 'a' | 'b';
export type Direction = 'input' | 'forward' | 'output';

/** What is in the kernel. */
export interface Held {
  readonly side: Side;
  readonly version: string;
}

export function otherSide(side: Side): Side {
  return side === 'a' ? 'b' : 'a';
}

interface SetOfLength {
  readonly family: Family;
  readonly length: number;
  readonly prefixes: readonly Prefix[];
}

/** The prefixes by family and length. */
function setsOf(prefixes: readonly Prefix[]): readonly SetOfLength[] {
  const sets = new Map<string, { family: Family; length: number; prefixes: Prefix[] }>();
  for (const prefix of prefixes) {
    const { family, length } = prefix;
    const key = `${family}/${length}`;
    const set = sets.get(key) ?? { family, length, prefixes: [] };
    sets.set(key, set);
    set.prefixes.push(prefix);
  }
  return [...sets.values()];
}

function nameOf({ family, length }: Pick<SetOfLength, 'family' | 'length'>, side: Side): string {
  return `block${family}_${length}_${side}`;
}

/** One element a line: an error of nft then names one element, and quotes no more than it. */
function elements(prefixes: readonly Prefix[]): string {
  return `{\n${prefixes.map(formatAddress).join(',\n')}\n}`;
}

function marker({ side, version }: Held): string {
  return `version_${side}_${version}`;
}

/** The rules of one of the two chains that block. */
function rules(sets: readonly SetOfLength[], side: Side, end: 'saddr' | 'daddr'): string[] {
  return sets.map((set) => {
    const { family, length } = set;
    const mask = prefixOf(family, (1n << BigInt(widthOf(family))) - 1n, length);
    const masked = length === widthOf(family) ? '' : ` & ${formatAddress(mask)}`;
    const protocol = family === 4 ? 'ip' : 'ip6';
    return `${protocol} ${end}${masked} @${nameOf(set, side)} counter name dropped drop`;
  });
}

const CALLS: Readonly<Record<Direction, readonly string[]>> = {
  input: ['from_blocked'],
  forward: ['from_blocked', 'to_blocked'],
  output: ['to_blocked'],
};

function hook(direction: Direction): string {
  const device = direction === 'output' ? 'oif' : 'iif';
  return [
    `chain ${direction} {`,
    `type filter hook ${direction} priority -10; policy accept;`,
    ...(direction === 'forward' ? [] : [`${device} lo accept`]),
    'ct state established,related accept',
    ...CALLS[direction].map((chain) => `jump ${chain}`),
    '}',
  ].join('\n');
}

function setDefinition(set: SetOfLength, side: Side): string {
  const type = set.family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  return `set ${nameOf(set, side)} {\ntype ${type}\nelements = ${elements(set.prefixes)}\n}`;
}

/** The whole table from nothing, in one transaction; what a boot loads. Side a. */
export function wholeTable(blocks: Blocks, directions: readonly Direction[]): string {
  const sets = setsOf(blocks.prefixes);
  const lines = [
    `table ${FULL}`,
    `delete table ${FULL}`,
    `table ${FULL} {`,
    'counter dropped {\n}',
    `chain ${marker({ side: 'a', version: blocks.version })} {\n}`,
    ...sets.map((set) => setDefinition(set, 'a')),
    `chain from_blocked {\n${rules(sets, 'a', 'saddr').join('\n')}\n}`,
    `chain to_blocked {\n${rules(sets, 'a', 'daddr').join('\n')}\n}`,
    ...directions.map(hook),
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

/** The transactions that replace all that is held by new sets of the other side. */
export function replacement(from: Blocks, held: Held, to: Blocks): readonly string[] {
  const [before, after] = [setsOf(from.prefixes), setsOf(to.prefixes)];
  const side = otherSide(held.side);
  const make = [
    `table ${FULL} {`,
    'chain staging {\n}',
    ...after.map((set) => setDefinition(set, side)),
    '}',
  ];
  const turn = [
    `flush chain ${FULL} from_blocked`,
    `flush chain ${FULL} to_blocked`,
    ...rules(after, side, 'saddr').map((rule) => `add rule ${FULL} from_blocked ${rule}`),
    ...rules(after, side, 'daddr').map((rule) => `add rule ${FULL} to_blocked ${rule}`),
    `add chain ${FULL} ${marker({ side, version: to.version })}`,
    `delete chain ${FULL} ${marker(held)}`,
  ];
  const clear = [
    ...before.map((set) => `delete set ${FULL} ${nameOf(set, held.side)}`),
    `delete chain ${FULL} staging`,
  ];
  return [make, turn, clear].map((lines) => `${lines.join('\n')}\n`);
}

/** The transactions that change what is held by a difference, in the same sets. */
export function alteration(change: Difference, held: Held, to: Blocks): readonly string[] {
  const say = (verb: 'add' | 'delete', prefixes: readonly Prefix[]) =>
    setsOf(prefixes).map(
      (set) => `${verb} element ${FULL} ${nameOf(set, held.side)} ${elements(set.prefixes)}`,
    );
  const make = [`add chain ${FULL} staging`, ...say('add', change.added)];
  const clear = [
    ...say('delete', change.removed),
    `add chain ${FULL} ${marker({ side: held.side, version: to.version })}`,
    `delete chain ${FULL} ${marker(held)}`,
    `delete chain ${FULL} staging`,
  ];
  return [make, clear].map((lines) => `${lines.join('\n')}\n`);
}

/** Whether two sets of blocks have the same prefix lengths, so that a difference is enough. */
export function haveSameSets(from: Blocks, to: Blocks): boolean {
  const names = (blocks: Blocks) => setsOf(blocks.prefixes).map((set) => nameOf(set, 'a'));
  return names(from).sort().join() === names(to).sort().join();
}

/** Reads what the kernel holds from the output of `nft list chains`; nothing if half-way. */
export function heldIn(chains: string): Held | undefined {
  const [, ours = ''] = chains.split(new RegExp(`^table inet ${TABLE} \\{$`, 'm'));
  const [body = ''] = ours.split(/^\}$/m);
  const names = [...body.matchAll(/^\s+chain (\w+) \{/gm)].map((match) => match[1] ?? '');
  const versions = names.flatMap((name) => /^version_([ab])_([0-9a-f]{16})$/.exec(name) ?? []);
  const [, side, version, ...more] = versions;
  if (names.includes('staging') || more.length > 0 || version === undefined) return undefined;
  return { side: side === 'b' ? 'b' : 'a', version };
}

/** The address on a line of a text for nft, where an error of nft points to. */
export function elementAt(text: string, line: number): string | undefined {
  const element = text.split('\n')[line - 1]?.replace(/,$/, '').trim();
  return element === undefined || !/^[0-9a-f.:]+$/.test(element) ? undefined : element;
}
