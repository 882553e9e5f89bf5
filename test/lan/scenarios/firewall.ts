/**
 * `firewall`: a block list published at the origin is in force on every host, and locks nobody out.
 *
 * Nodes with the firewall plugin on all hosts, two of them without Internet; packets from listed
 * and from other addresses judge. Then a poisoned list that contains the LAN itself; then, with the
 * plugin's own parts on one host, 100,000 entries replaced under traffic, a difference of 1,000,
 * and a kill at every step.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '@peerage/firewall/compile.js';
import { sourceList } from '../../plugins/firewall/rig.js';
import { acceptAnySource, addAddresses, type Flood, reached } from '../firewall/flood.js';
import { killAtEveryStep } from '../firewall/kill.js';
import { swapUnderTraffic } from '../firewall/swap.js';
import { Group } from '../group.js';
import type { Host } from '../host.js';
import { Lan, ORIGIN_NAME } from '../lan.js';
import type { NodeConfig, PeerageNode } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atLeast, atMost, equal, type Report, type Row, rounded, type Target } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { missingTools } from '../tools.js';
import { until } from '../until.js';

const LINE_RATE_KBIT = 10_000;
const LIST = 'blocked.netset';
/** On the lists, and on none of them; both are addresses of the router, which sends from them. */
const LISTED = '198.18.0.1';
const OPEN = '198.19.0.1';
/** By then a new list is in force everywhere, in milliseconds from its publication. */
const IN_FORCE_TARGET_SECONDS = 30;
const DEADLINE_MS = 90_000;
const POLL_SECONDS = 10;

export const firewall: Scenario = {
  name: 'firewall',
  summary: 'a block list in force on every host from one download, and nobody locked out',
  missing: () => missingForOrigin() ?? missingTools(['nft']),
  run,
};

/** What the scenario stands on while it runs. */
interface Ground {
  readonly lan: Lan;
  readonly group: Group;
  readonly origin: OriginService;
  readonly directory: string;
  readonly say: (step: string) => void;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = 8, sizeBytes: entries = 100_000 } = options;
  const say = options.say ?? (() => undefined);
  const offline = [hosts - 1, hosts].filter((number) => number > 1);
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT, offlineHosts: offline });
  const isOnline = (name: string) => !offline.some((number) => name === `h${number}`);
  const group = Group.on(lan.hosts, ({ name }) => configOf(isOnline(name)));
  try {
    const directory = join(lan.origin.directory, 'www');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, LIST), listOf(100, []));
    await addAddresses(lan.router, [LISTED, OPEN]);
    for (const host of lan.hosts) await acceptAnySource(host);
    const origin = await OriginService.start(lan.origin, { directory });
    say(`a group of ${hosts} nodes with the firewall plugin, two without Internet`);
    await group.start();
    const ground: Ground = { lan, group, origin, directory, say };
    const { rows, targets } = await spread(ground);
    const poisoned = await poison(ground);
    await group.stop();
    const swaps = await swapping(ground, entries);
    const kills = await killing(ground, entries >= 100_000 ? 1 : 6);
    return {
      scenario: 'firewall',
      options: { hosts, offlineHosts: offline.length, entries, lineRateKbit: LINE_RATE_KBIT },
      rows,
      targets: [...targets, ...poisoned, ...swaps, ...kills],
      notes: ['seconds: from the publication at the origin until the host has it in force'],
    };
  } finally {
    group.saveLogs(options.logsDirectory);
    await group.stop();
    lan.dispose();
  }
}

function configOf(internet: boolean): NodeConfig {
  const programs = ['nft-check', 'nft-load', 'nft-chains', 'nft-counters', 'tables', 'read-list'];
  const url = `http://${ORIGIN_NAME}/${LIST}`;
  const own = { name: 'own', format: 'list', url, unauthenticated: 'accept' };
  const sources = [{ ...own, intervalSeconds: POLL_SECONDS }];
  const grant = { programs, status: true };
  const plugin = { use: '@peerage/firewall', enabled: true, grant, settings: { sources } };
  return { core: { internet, originAllow: ['198.51.100.0/24'] }, plugins: { firewall: plugin } };
}

/** A list of so many addresses of a documentation range, and then some. */
function listOf(count: number, more: readonly string[]): string {
  const lines = Array.from({ length: count }, (_, at) => `203.0.${113 + (at >> 8)}.${at & 255}`);
  return `# published by the lab\n${[...lines, ...more].join('\n')}\n`;
}

interface FirewallStatus {
  readonly version: string | null;
  readonly entries: number;
  readonly provider?: string;
  readonly keptOut: readonly { readonly entry: string; readonly line: number }[];
}

async function statusOf(node: PeerageNode): Promise<FirewallStatus> {
  return (await node.ask('firewall', 'status')) as FirewallStatus;
}

/** All hosts have exactly this list in the kernel: the seconds that each took. */
async function inForce({ lan, group }: Ground, list: string): Promise<number[]> {
  const { version } = compile([sourceList('own', list)], []);
  const beganMs = performance.now();
  const wait = async (host: Host, index: number) => {
    let last = '';
    const look = async () => {
      last = (await host.run('nft', ['list', 'chains', 'inet'])).stdout;
      return last.includes(`_${version}`) && !last.includes('staging') ? true : undefined;
    };
    const log = () => group.nodes[index]?.log.slice(-1500) ?? '';
    await until(`version ${version} in force on ${host.name}`, DEADLINE_MS, look, log);
    return (performance.now() - beganMs) / 1000;
  };
  return Promise.all(lan.hosts.map(wait));
}

async function spread(ground: Ground): Promise<{ rows: Row[]; targets: Target[] }> {
  const { lan, origin, directory, say } = ground;
  say('the first list, which every node finds at its start');
  await inForce(ground, listOf(100, []));
  await origin.reset();
  say('a new list is published at the origin');
  const list = listOf(100, [LISTED]);
  writeFileSync(join(directory, LIST), list);
  const seconds = await inForce(ground, list);
  const { urls } = await origin.counts();
  const floods: Flood[] = [];
  for (const host of lan.hosts) floods.push(await reached(lan.router, [LISTED, OPEN], host));
  const rows = lan.hosts.map((host, index) => ({
    host: host.name,
    seconds: rounded(seconds[index] ?? 0),
    listedArrived: floods[index]?.arrived[LISTED] ?? 0,
    openArrived: floods[index]?.arrived[OPEN] ?? 0,
  }));
  return {
    rows,
    targets: [
      atMost('slowest host, seconds until in force', Math.max(...seconds), IN_FORCE_TARGET_SECONDS),
      equal('times that the origin served the new list', urls[`/${LIST}`]?.bodies ?? 0, 1),
      equal('hosts that drop the listed address', count(rows, 'listedArrived', 0), rows.length),
      equal('hosts that an open address reaches', rows.filter(isReached).length, rows.length),
    ],
  };
}

const isReached = ({ openArrived }: { readonly openArrived: number }) => openArrived > 0;

/** The LAN itself is on the list: everybody still reaches everybody, and the entries are named. */
async function poison(ground: Ground): Promise<Target[]> {
  const { lan, group, directory, say } = ground;
  say('a poisoned list: the LAN itself, the gateway, and a host of it');
  const bad = ['10.77.0.0/24', '10.77.0.1', '10.77.0.12', '10.0.0.0/8'];
  writeFileSync(join(directory, LIST), listOf(102, [LISTED, ...bad]));
  await inForce(ground, listOf(102, [LISTED]));
  const statuses = await Promise.all(group.nodes.map(statusOf));
  const named = statuses.filter(({ keptOut }) =>
    bad.every((one) => keptOut.some(({ entry }) => entry === one)),
  );
  let pairs = 0;
  for (const [index, host] of lan.hosts.entries()) {
    const next = lan.hosts[(index + 1) % lan.hosts.length] ?? host;
    const { arrived } = await reached(host, [host.address], next);
    if ((arrived[host.address] ?? 0) > 0) pairs += 1;
  }
  return [
    equal('nodes that name the entries kept out', named.length, group.nodes.length),
    equal('hosts that reach the next one', pairs, lan.hosts.length),
  ];
}

/** Replaces the whole set, and changes a little of it, while packets come. */
async function swapping({ lan, say }: Ground, entries: number): Promise<Target[]> {
  say(`${entries} entries replaced under traffic, then a difference of 1,000`);
  const { whole, small } = await swapUnderTraffic(lan, lan.host(1), entries, [LISTED, OPEN]);
  const leaked = (whole.arrived[LISTED] ?? 0) + (small.arrived[LISTED] ?? 0);
  return [
    equal('entries in the kernel', whole.entries, entries),
    atMost('whole set put in force, seconds', whole.putMs / 1000, 30),
    atMost('difference of 1,000 put in force, seconds', small.putMs / 1000, 0.9),
    atLeast(
      'packets sent from the listed address',
      (whole.sent[LISTED] ?? 0) + (small.sent[LISTED] ?? 0),
      1000,
    ),
    equal('packets of it that leaked', leaked, 0),
    atLeast('packets of the open address that arrived', whole.arrived[OPEN] ?? 0, 1),
  ];
}

async function killing({ lan, say }: Ground, every: number): Promise<Target[]> {
  const addresses = (count: number, from: number) =>
    Array.from({ length: count }, (_, at) => `198.18.${(from + at) >> 8}.${(from + at) & 255}`);
  const before = addresses(300, 0);
  const changes = [
    { change: 'difference', after: addresses(300, 10) },
    { change: 'whole', after: addresses(300, 150) },
  ];
  say('kill -9 at every step of two changes, each on a host of its own');
  const done = await Promise.all(
    changes.map((one, index) => killAtEveryStep(lan.host(index + 1), { ...one, before, every })),
  );
  return done.flatMap(({ change, kills, torn, lost }) => [
    atLeast(`${change}: steps killed at`, kills, 3),
    equal(`${change}: kills with a torn list in force`, torn, 0),
    equal(`${change}: starts without a whole list`, lost, 0),
  ]);
}

function count(rows: readonly Row[], column: string, value: number): number {
  return rows.filter((row) => row[column] === value).length;
}
