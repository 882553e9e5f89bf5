/**
 * Guards: the addresses that no list may block, each with the reason.
 *
 * Private and reserved ranges always; then what this machine needs to stay reachable, from the
 * machine's own tables as text: subnets, gateways, name servers, peers, current SSH clients; then
 * what the admin allows. Pure: the texts come in (network.ts reads them), guards come out. What a
 * table holds beyond understanding is passed over: a guard more or less must not stop the rest.
 */
import { EntryFault, type Prefix, parseEntry, parsePrefix } from './prefix.js';

export interface Guard extends Prefix {
  /** What it protects, for the status. */
  readonly why: string;
}

/** The widest subnet of an interface that is believed; a tunnel may claim the whole Internet. */
const WIDEST_SUBNET = { 4: 8, 6: 16 } as const;
const TCP_ESTABLISHED = '01';

const RESERVED: ReadonlyArray<readonly [prefix: string, why: string]> = [
  ['0.0.0.0/8', 'this network'],
  ['10.0.0.0/8', 'private range'],
  ['100.64.0.0/10', 'shared address range'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['172.16.0.0/12', 'private range'],
  ['192.168.0.0/16', 'private range'],
  ['224.0.0.0/3', 'multicast and broadcast'],
  ['::/8', 'loopback and mapped addresses'],
  ['fc00::/7', 'private range'],
  ['fe80::/10', 'link-local'],
  ['ff00::/8', 'multicast'],
];

/** What the guards are made from. */
export interface NetworkFacts {
  /** `address/length` of each interface. */
  readonly subnets: readonly string[];
  /** The machine's tables by path, as they are. */
  readonly files: ReadonlyMap<string, string>;
  readonly peers: readonly string[];
  readonly sshPorts: readonly number[];
  /** What the admin allows: addresses, prefixes or ranges. */
  readonly allowed: readonly string[];
}

export const ROUTES_4 = '/proc/net/route';
export const ROUTES_6 = '/proc/net/ipv6_route';
export const TCP_4 = '/proc/net/tcp';
export const TCP_6 = '/proc/net/tcp6';
export const RESOLVERS = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'] as const;

export function guardsFrom(facts: NetworkFacts): readonly Guard[] {
  const file = (path: string) => (facts.files.get(path) ?? '').split('\n');
  return [
    ...RESERVED.map(([prefix, why]) => ({ ...parsePrefix(prefix), why })),
    ...guarding('own subnet', facts.subnets.flatMap(subnetOf)),
    ...guarding('gateway', [
      ...file(ROUTES_4).flatMap(gateway4),
      ...file(ROUTES_6).flatMap(gateway6),
    ]),
    ...guarding(
      'name server',
      RESOLVERS.flatMap((path) => file(path).flatMap(nameServer)),
    ),
    ...guarding('peer', facts.peers.flatMap(readOrNothing)),
    ...guarding(
      'SSH client',
      [...file(TCP_4), ...file(TCP_6)].flatMap((line) => sshClient(line, facts.sshPorts)),
    ),
    ...guarding('allowed by the admin', facts.allowed.flatMap(readOrNothing)),
  ];
}

function guarding(why: string, prefixes: readonly Prefix[]): Guard[] {
  return prefixes.map((prefix) => ({ ...prefix, why }));
}

function readOrNothing(text: string): readonly Prefix[] {
  try {
    return parseEntry(text);
  } catch (error) {
    if (error instanceof EntryFault) return [];
    throw error;
  }
}

function subnetOf(text: string): readonly Prefix[] {
  return readOrNothing(text).flatMap((prefix) => {
    if (prefix.length >= WIDEST_SUBNET[prefix.family]) return [prefix];
    return readOrNothing(text.replace(/\/.*$/, ''));
  });
}

function nameServer(line: string): readonly Prefix[] {
  const match = /^nameserver\s+(\S+)/.exec(line);
  return match === null ? [] : readOrNothing((match[1] ?? '').replace(/%.*$/, ''));
}

/** A line of /proc/net/route: interface, destination, gateway as a little-endian number. */
function gateway4(line: string): readonly Prefix[] {
  const [, , gateway = ''] = line.trim().split(/\s+/);
  return fromKernel(gateway).filter(({ bits }) => bits !== 0n);
}

/** A line of /proc/net/ipv6_route: the fifth field is the next hop in network order. */
function gateway6(line: string): readonly Prefix[] {
  const [, , , , hop = ''] = line.trim().split(/\s+/);
  if (!/^[0-9a-f]{32}$/i.test(hop)) return [];
  const bits = BigInt(`0x${hop}`);
  return bits === 0n ? [] : [{ family: 6, bits, length: 128 }];
}

/** A line of /proc/net/tcp: the far end of an established connection to one of the ports. */
function sshClient(line: string, ports: readonly number[]): readonly Prefix[] {
  const [, local = '', remote = '', state] = line.trim().split(/\s+/);
  if (state !== TCP_ESTABLISHED) return [];
  const port = Number.parseInt(local.split(':')[1] ?? '', 16);
  return ports.includes(port) ? fromKernel(remote.split(':')[0] ?? '') : [];
}

/** An address as the kernel prints it: 32-bit words, each in the order of a little-endian machine. */
function fromKernel(hex: string): readonly Prefix[] {
  const words = hex.match(/[0-9A-F]{8}/gi) ?? [];
  if (words.join('') !== hex || (words.length !== 1 && words.length !== 4)) return [];
  const bits = words.reduce((sum, word) => (sum << 32n) | swapped(word), 0n);
  if (words.length === 1) return [{ family: 4, bits, length: 32 }];
  // An SSH daemon that listens on IPv6 sees IPv4 clients as mapped addresses.
  if (bits >> 32n === 0xffffn) return [{ family: 4, bits: bits & 0xffffffffn, length: 32 }];
  return [{ family: 6, bits, length: 128 }];
}

function swapped(word: string): bigint {
  return BigInt(`0x${(word.match(/../g) ?? []).reverse().join('')}`);
}
