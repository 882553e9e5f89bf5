/**
 * `bench -- idle`: what a node costs that nobody asks for anything, in a group of 100: processor
 * time and memory of the core, and how often it speaks. The 99 others are real members whose
 * packets one process seals (crowd-program); the node and they are hosts of one LAN.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { authorityFromPem, identityToPem, issueIdentity } from '@peerage/core/trust/authority.js';
import { Group } from '../lan/group.js';
import { Lan } from '../lan/lan.js';
import { missingForLan } from '../lan/namespaces.js';
import type { PeerageNode } from '../lan/node.js';
import { atMost, equal, type Report, rounded } from '../lan/report.js';
import { until } from '../lan/until.js';
import type { Bench, BenchOptions } from './bench.js';
import { cpuSeconds, memoryMiB } from './processes.js';

const OTHERS = 99;
const WATCHED_SECONDS = 60;
const INTERNET_RATE_KBIT = 100_000;
const PROGRAM = fileURLToPath(new URL('./crowd-program.js', import.meta.url));
/** Everybody has said hello twice by then, in milliseconds. */
const ACQUAINTED_DEADLINE_MS = 40_000;

export const idle: Bench = {
  name: 'idle',
  summary: 'a node that nobody asks, with 99 live peers: processor time, memory, packets',
  missing: missingForLan,
  run,
};

async function run({ tiny, say }: BenchOptions): Promise<Report> {
  const others = tiny ? 3 : OTHERS;
  const seconds = tiny ? 1 : WATCHED_SECONDS;
  const lan = Lan.create({ hosts: 2, internetRateKbit: INTERNET_RATE_KBIT });
  const [host, crowd] = [lan.host(1), lan.host(2)];
  const group = Group.on([host], () => ({}));
  const node = group.node(1);
  try {
    await group.enrol();
    await node.start();
    const file = join(crowd.directory, 'members.json');
    writeFileSync(file, JSON.stringify(membersOf(node, others)));
    const args = [PROGRAM, crowd.address, '10.77.0.255', file];
    crowd.spawn(process.execPath, args);
    say(`waiting for ${others} peers`);
    const look = async () => ((await node.countPeers()) === others ? true : undefined);
    await until(`${others} peers`, ACQUAINTED_DEADLINE_MS, look);
    say(`watching for ${seconds} s`);
    return await watch(node, others, seconds);
  } finally {
    await group.stop();
    lan.dispose();
  }
}

function membersOf(node: PeerageNode, count: number): string[] {
  const file = join(node.stateDirectory, 'ca', 'ca.pem');
  const authority = authorityFromPem(readFileSync(file, 'utf8'), file);
  return Array.from({ length: count }, (_, index) => {
    return identityToPem(issueIdentity(authority, `other-${index}`, 1, Date.now()));
  });
}

async function watch(node: PeerageNode, others: number, seconds: number): Promise<Report> {
  const [cpu, began, heard] = [cpuSeconds([node.pid]), performance.now(), await packetsOf(node)];
  const over = performance.now() + seconds * 1000;
  await until('the time is over', seconds * 2000, () =>
    performance.now() >= over ? true : undefined,
  );
  const elapsed = (performance.now() - began) / 1000;
  const used = (cpuSeconds([node.pid]) - cpu) / elapsed;
  const now = await packetsOf(node);
  const { resident, own } = memoryMiB(node.pid);
  const per10 = (count: number) => rounded((count / elapsed) * 10);
  const beacons = per10(now.beacons - heard.beacons);
  return {
    scenario: 'idle',
    options: { peers: others, seconds },
    rows: [
      {
        'core % of a core': rounded(used * 100),
        'resident MiB': rounded(resident),
        'its own MiB': rounded(own),
        'packets heard a second': rounded((now.received - heard.received) / elapsed),
        'beacons in 10 s': beacons,
        'all packets sent in 10 s': per10(now.sent - heard.sent),
      },
    ],
    targets: [
      atMost('processor, % of a core', used * 100, 1),
      atMost('memory, MiB', resident, 120),
      atMost('beacons in 10 s', beacons, 1.4),
      equal('peers at the end', (await node.countPeers()) ?? 0, others),
    ],
    notes: ['a beacon is due every 10 s, a quarter more or less'],
  };
}

interface Packets {
  readonly beacons: number;
  readonly sent: number;
  readonly received: number;
}

async function packetsOf(node: PeerageNode): Promise<Packets> {
  const status = (await node.ask('status')) as {
    lan: { counters: Readonly<Record<string, number>> };
  };
  const { counters } = status.lan;
  const sum = (prefix: string) => {
    const found = Object.entries(counters).filter(([name]) => name.startsWith(prefix));
    return found.reduce((total, [, count]) => total + count, 0);
  };
  const beacons = counters['sent-hello'] ?? 0;
  return { beacons, sent: sum('sent-'), received: sum('received-') };
}
