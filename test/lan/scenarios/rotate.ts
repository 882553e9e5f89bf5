/**
 * `rotate`: the group's CA is changed while everything runs.
 *
 * Every running host has a certificate of the new CA within seconds, without a restart, and files go
 * on between them; a host that was down comes back knowing only the CA before and is taken along; a
 * newcomer joins under the new one. Then the CA before is retired: a certificate of it opens
 * nothing any more.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentSha256 } from '../content.js';
import { Group } from '../group.js';
import { Lan, ORIGIN_NAME } from '../lan.js';
import { PeerageNode } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atMost, equal, type Report, rounded } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { until } from '../until.js';

/** The router is on the origin's own network. */
const ORIGIN_NETWORK = '198.51.100.0/24';
const LINE_RATE_KBIT = 100_000;
const SIZE_BYTES = 100_000;
/** Every host that can be reached has its new certificate by then, in seconds. */
const SECONDS_MAX = 20;
/** So long for one that was away: it hears the machine with the CA within 10 s, and asks anew. */
const LATE_SECONDS_MAX = 40;
const DEADLINE_MS = 60_000;

export const rotate: Scenario = {
  name: 'rotate',
  summary: 'a new CA follows: running hosts and a late one change over, the old one is retired',
  missing: missingForOrigin,
  run,
};

async function run(options: ScenarioOptions): Promise<Report> {
  const hosts = Math.max(4, options.hosts ?? 4);
  const say = options.say ?? (() => undefined);
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT });
  const group = Group.on(lan.hosts, () => ({}));
  const outsider = new PeerageNode(lan.router, { core: { originAllow: [ORIGIN_NETWORK] } });
  try {
    const origin = await OriginService.start(lan.origin);
    say(`a group of ${hosts}; one certificate more is issued and put aside`);
    await group.start();
    const [authority, late] = [group.node(1), group.node(3)];
    await putAside(authority, outsider);
    const up = group.nodes.filter((node) => node !== late);
    say('the third host is down; the CA is changed');
    await late.stop();
    const changedAt = Date.now();
    await authority.ask('ca', 'rotate');
    const renewed = await Promise.all(up.map((node) => renewal(node, changedAt)));
    say('the third host comes back');
    const backAt = Date.now();
    await late.start();
    const lateRenewed = await renewal(late, backAt);
    await group.acquainted();
    const sources = await share(group.nodes);
    say('a newcomer joins; the CA before is retired');
    const joined = await newcomer(authority, outsider);
    const early = await authority.command('ca', 'retire', '--json');
    await authority.ask('ca', 'retire', '--force');
    await outsider.start();
    await group.acquainted();
    const sharedAfter = await share(group.nodes, 'z');
    const known = await membersOf(group, outsider);
    const { total } = await origin.counts();
    const [apart = ''] = await share([outsider], 'z');
    return report(hosts, {
      seconds: renewed,
      lateSeconds: lateRenewed,
      sources: [...sources, ...sharedAfter],
      joined,
      refusal: (JSON.parse(early.stderr) as { code: string }).code,
      known,
      apart,
      bodies: total.bodies,
    });
  } finally {
    group.saveLogs(options.logsDirectory);
    await Promise.all([group.stop(), outsider.stop()]);
    lan.dispose();
  }
}

/** A certificate of the CA that is there now, for a machine that never runs in between. */
async function putAside(authority: PeerageNode, outsider: PeerageNode): Promise<void> {
  const file = join(authority.place.directory, 'outsider.pem');
  await authority.ask('ca', 'issue', 'outsider', '--out', file);
  mkdirSync(outsider.stateDirectory, { recursive: true, mode: 0o700 });
  copyFileSync(file, join(outsider.stateDirectory, 'identity.pem'));
}

/** Seconds after `since` until a node took a new certificate into use, by its own log. */
async function renewal(node: PeerageNode, since: number): Promise<number> {
  const event = '"certificate-renewed"';
  const at = await until(`${node.place.name} has a new certificate`, DEADLINE_MS, () => {
    const lines = node.log.split('\n').filter((line) => line.includes(event));
    const times = lines.map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
    return times.find((time) => time >= since);
  });
  return (at - since) / 1000;
}

/** A file that the first fetches and all others take of their peers; where each got it. */
async function share(nodes: readonly PeerageNode[], letter = 'a'): Promise<string[]> {
  const sources: string[] = [];
  for (const node of nodes) {
    const file = join(node.place.directory, letter);
    const sha256 = contentSha256(letter, SIZE_BYTES);
    const url = `http://${ORIGIN_NAME}/bytes/${SIZE_BYTES}/${letter}`;
    const got = await node.ask('get', url, '-o', file, '--sha256', sha256);
    const right = createHash('sha256').update(readFileSync(file)).digest('hex') === sha256;
    sources.push(right ? (got as { source: string }).source : 'wrong bytes');
  }
  return sources;
}

/** Joins a newcomer, in a state directory of its own on the outsider's place; what came of it. */
async function newcomer(authority: PeerageNode, outsider: PeerageNode): Promise<string> {
  const printed = await authority.ask('ca', 'token', '--name', 'newcomer');
  const { token } = printed as { token: string };
  const state = join(outsider.place.directory, 'newcomer');
  const args = ['join', authority.place.name, token, '--json'];
  const done = await outsider.commandIn(state, ...args);
  return done.code === 0 ? 'joined' : (JSON.parse(done.stderr) as { code: string }).code;
}

async function membersOf(group: Group, { place }: PeerageNode): Promise<number> {
  let found = 0;
  for (const node of group.nodes) {
    const peers = (await node.ask('peers')) as Array<{ address: string }>;
    found += peers.filter(({ address }) => address === place.address).length;
  }
  return found;
}

interface Outcome {
  readonly seconds: readonly number[];
  readonly lateSeconds: number;
  readonly sources: readonly string[];
  readonly joined: string;
  readonly refusal: string;
  /** Nodes that know the outsider. */
  readonly known: number;
  /** Where it gets what the group holds. */
  readonly apart: string;
  readonly bodies: number;
}

function report(hosts: number, outcome: Outcome): Report {
  const { seconds, lateSeconds, sources, joined, refusal, known, apart, bodies } = outcome;
  const fromPeers = sources.filter((source) => source === 'peer').length;
  return {
    scenario: 'rotate',
    options: { hosts },
    rows: [...seconds, lateSeconds].map((value) => ({ renewedAfterSeconds: rounded(value) })),
    targets: [
      atMost(
        'seconds until every running host had its new certificate',
        Math.max(...seconds),
        SECONDS_MAX,
      ),
      atMost('seconds until a host that was down had its own', lateSeconds, LATE_SECONDS_MAX),
      equal('files that came from peers, before and after the end', fromPeers, 2 * (hosts - 1)),
      equal('bodies that the origin served', bodies, 2),
      equal('a newcomer with a token of the new CA', joined, 'joined'),
      equal('retiring while a certificate of the CA before is good', refusal, 'E_CA_IN_USE'),
      equal('hosts that know a node with such a certificate afterwards', known, 0),
      equal('what the hosts hold comes, for it, from', apart, 'origin'),
    ],
    notes: [],
  };
}
