/**
 * `revoke`: a stolen machine is put out of the group.
 *
 * Its connections are cut, nothing that it attested stays, nobody takes anything of it and it gets
 * nothing of others, on every host within seconds. A host that was down learns it from any member,
 * also while the machine with the CA is away.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentSha256 } from '../content.js';
import { Group } from '../group.js';
import { Lan, ORIGIN_NAME } from '../lan.js';
import type { PeerageNode } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atLeast, atMost, equal, type Report, rounded } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { until } from '../until.js';

const LINE_RATE_KBIT = 100_000;
const SIZE_BYTES = 100_000;
/** Revocation is in force on every host by then, in seconds. */
const SECONDS_MAX = 10;
const DEADLINE_MS = 60_000;

export const revoke: Scenario = {
  name: 'revoke',
  summary: 'a revoked host is out everywhere within 10 s, also where it was heard of late',
  missing: missingForOrigin,
  run,
};

interface Learnt {
  readonly host: string;
  readonly seconds: number;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const hosts = Math.max(4, options.hosts ?? 5);
  const say = options.say ?? (() => undefined);
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT });
  const group = Group.on(lan.hosts, () => ({}));
  try {
    const origin = await OriginService.start(lan.origin);
    say(`a group of ${hosts}; the last host fetches and serves`);
    await group.start();
    const [authority, second, late] = [group.node(1), group.node(2), group.node(3)];
    const thief = group.node(hosts);
    const others = group.nodes.slice(0, -1);
    await share(thief, second, others);
    say('the third host is down; the last one is revoked');
    await late.stop();
    const up = others.filter((node) => node !== late);
    const revokedAt = Date.now();
    await authority.ask('ca', 'revoke', thief.place.name);
    const learnt = await Promise.all(up.map((node) => learning(node, revokedAt)));
    const left = await traces(up, thief);
    say('nobody takes of it, and it gets nothing');
    const apart = [await source(second, 'd'), await source(thief, 'c')];
    say('the machine with the CA goes away, the third host comes back');
    await authority.stop();
    const backAt = Date.now();
    await late.start();
    const afterwards = await learning(late, backAt);
    const counts = (await origin.counts()).total.bodies;
    return report(hosts, learnt, afterwards, left, apart, counts);
  } finally {
    group.saveLogs(options.logsDirectory);
    await group.stop();
    lan.dispose();
  }
}

/** `a` everybody has of the thief; `b`, `c` of the second host; `d` the thief alone has. */
async function share(
  thief: PeerageNode,
  second: PeerageNode,
  others: readonly PeerageNode[],
): Promise<void> {
  await source(thief, 'a');
  for (const node of others) await source(node, 'a');
  for (const letter of ['b', 'c']) await source(second, letter);
  await source(thief, 'd');
  // The last thing before the revocation: a connection from the thief to the second host is open.
  await source(thief, 'b');
}

/** Fetches a file and says where it came from. @throws if its bytes are not the origin's */
async function source(node: PeerageNode, letter: string): Promise<string> {
  const file = join(node.place.directory, letter);
  const sha256 = contentSha256(letter, SIZE_BYTES);
  const url = `http://${ORIGIN_NAME}/bytes/${SIZE_BYTES}/${letter}`;
  const got = await node.ask('get', url, '-o', file, '--sha256', sha256);
  if (createHash('sha256').update(readFileSync(file)).digest('hex') !== sha256)
    throw new Error(`${node.place.name} got other bytes for ${letter}`);
  return (got as { source: string }).source;
}

/** When the policy was in force on a node, by its own log. */
async function learning(node: PeerageNode, since: number): Promise<Learnt> {
  const host = node.place.name;
  const at = await until(`${host} has the policy`, DEADLINE_MS, () => {
    const lines = node.log.split('\n').filter((line) => line.includes('"policy-taken"'));
    const times = lines.map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
    return times.find((time) => time >= since);
  });
  return { host, seconds: (at - since) / 1000 };
}

interface Traces {
  /** Nodes that still count the thief as a member. */
  readonly members: number;
  /** Entries in stores that the thief attested. */
  readonly entries: number;
  /** Connections of the thief that were cut. */
  readonly cut: number;
}

async function traces(nodes: readonly PeerageNode[], thief: PeerageNode): Promise<Traces> {
  const name = thief.place.name;
  let [members, entries, cut] = [0, 0, 0];
  for (const node of nodes) {
    const peers = (await node.ask('peers')) as Array<{ name: string }>;
    const cached = (await node.ask('cache', 'list')) as Array<{ fetchedBy: string }>;
    const { uploads } = (await node.ask('status')) as { uploads: Record<string, number> };
    members += peers.filter((peer) => peer.name === name).length;
    entries += cached.filter(({ fetchedBy }) => fetchedBy === name).length;
    cut += uploads['connections-cut-revoked'] ?? 0;
  }
  return { members, entries, cut };
}

function report(
  hosts: number,
  learnt: readonly Learnt[],
  late: Learnt,
  left: Traces,
  apart: readonly string[],
  bodies: number,
): Report {
  const slowest = Math.max(...learnt.map(({ seconds }) => seconds));
  const rows = [...learnt, late].map(({ host, seconds }) => ({ host, seconds: rounded(seconds) }));
  return {
    scenario: 'revoke',
    options: { hosts },
    rows,
    targets: [
      atMost('seconds until it was in force on every host', slowest, SECONDS_MAX),
      equal('hosts that still know the revoked one', left.members, 0),
      atLeast('connections of the revoked that were cut', left.cut, 1),
      equal('objects left that it attested', left.entries, 0),
      equal('what only it has comes, for others, from', apart[0] ?? '', 'origin'),
      equal('what only others have comes, for it, from', apart[1] ?? '', 'origin'),
      atMost('seconds after its start until a host that was down knew', late.seconds, SECONDS_MAX),
    ],
    notes: [`bodies that the origin served: ${bodies}`],
  };
}
