/**
 * `enrol`: machines that know nothing become members by one pasted line each.
 *
 * The first host makes the CA. Beside the LAN's own hosts the router runs a CA of the same name, so
 * that a token meets the wrong one. Every refusal must carry its reason, and cost nothing: the
 * token that was refused elsewhere still works where it belongs.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { succeeded } from '../command.js';
import { Group } from '../group.js';
import { Lan } from '../lan.js';
import { missingForLan } from '../namespaces.js';
import { PeerageNode } from '../node.js';
import { atMost, equal, type Report, type Row, rounded } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { until } from '../until.js';

const LINE_RATE_KBIT = 10_000;
const GROUP_NAME = 'office';
/** A token this short has run out by the time that a second command is started, nearly always. */
const SHORT_TTL = '1s';
const EXPIRY_DEADLINE_MS = 20_000;
/** A host is taken in by then, in seconds: a process start and three round trips. */
const JOIN_SECONDS_MAX = 10;

export const enrol: Scenario = {
  name: 'enrol',
  summary: 'hosts join a group with one line each; every refusal has its reason',
  missing: missingForLan,
  run,
};

async function run(options: ScenarioOptions): Promise<Report> {
  const hosts = Math.max(3, options.hosts ?? 3);
  const say = options.say ?? (() => undefined);
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT });
  const group = Group.on(lan.hosts, () => ({}));
  const foreign = new PeerageNode(lan.router);
  try {
    say('a CA on the first host, and one of the same name on the router');
    const authority = group.node(1);
    for (const node of [authority, foreign]) {
      const named = ['--group', GROUP_NAME, '--name', node.place.name];
      succeeded('peerage ca init', await node.command('ca', 'init', ...named));
      await node.start();
    }
    say('every other host joins and starts');
    const joined = await joinAll(group);
    await group.acquainted();
    say('what must be refused');
    const refused = await refusals(group, foreign, joined.at(-1)?.token ?? '');
    const strangers = (await foreign.countPeers()) ?? -1;
    return report(hosts, joined, refused, strangers);
  } finally {
    group.saveLogs(options.logsDirectory);
    await Promise.all([group.stop(), foreign.stop()]);
    lan.dispose();
  }
}

interface Joined {
  readonly host: string;
  readonly token: string;
  readonly seconds: number;
  readonly name: string;
}

async function joinAll(group: Group): Promise<Joined[]> {
  const joined: Joined[] = [];
  for (const node of group.nodes.slice(1)) {
    const { name } = node.place;
    const token = await tokenOf(group.node(1), name);
    const startedAt = performance.now();
    const printed = await node.ask('join', group.node(1).place.name, token);
    const seconds = (performance.now() - startedAt) / 1000;
    joined.push({ host: name, token, seconds, name: (printed as { node: string }).node });
    await node.start();
  }
  return joined;
}

async function tokenOf(authority: PeerageNode, name: string, ttl = '1h'): Promise<string> {
  const printed = await authority.ask('ca', 'token', '--name', name, '--ttl', ttl);
  return (printed as { token: string }).token;
}

interface Refused extends Row {
  readonly attempt: string;
  readonly code: string;
  readonly expected: string;
}

/** A machine without an identity that tries what must not work; at last what must. */
async function refusals(group: Group, foreign: PeerageNode, used: string): Promise<Refused[]> {
  const authority = group.node(1);
  const hub = authority.place.name;
  const place = foreign.place;
  const state = join(place.directory, 'newcomer');
  const attempt = async (what: string, expected: string, ...args: string[]): Promise<Refused> => {
    const identity = join(state, 'identity.pem');
    const before = existsSync(identity);
    const done = await foreign.commandIn(state, 'join', ...args, '--json');
    const said = done.code === 0 ? '{"code":"joined"}' : done.stderr;
    const wrote = done.code !== 0 && existsSync(identity) !== before;
    const { code } = JSON.parse(said) as { code: string };
    return { attempt: what, code: wrote ? 'an identity was written' : code, expected };
  };
  const short = await tokenOf(authority, 'short', SHORT_TTL);
  await until('the token has expired', EXPIRY_DEADLINE_MS, async () => {
    const { tokens } = (await authority.ask('ca', 'list')) as { tokens: Token[] };
    return tokens.some(({ name, state }) => name === 'short' && state === 'expired') || undefined;
  });
  const good = await tokenOf(authority, 'newcomer');
  const [prefix, ca] = good.split('.');
  const guessed = `${prefix}.${ca}.${randomBytes(16).toString('base64url')}`;
  return [
    await attempt('a token that was used', 'E_TOKEN_USED', hub, used),
    await attempt('a token that has expired', 'E_TOKEN_EXPIRED', hub, short),
    await attempt('a token that was guessed', 'E_TOKEN_UNKNOWN', hub, guessed),
    await attempt('half a token', 'E_TOKEN_INVALID', hub, good.slice(0, 30)),
    await attempt('a good token, at another CA', 'E_TOKEN_OTHER_CA', place.address, good),
    await attempt('at a member without the CA', 'E_ENROL_UNAVAILABLE', 'h2', good),
    await attempt('where nobody listens', 'E_ENROL_UNREACHABLE', `${hub}:1`, good),
    await attempt('the same token, where it belongs', 'joined', hub, good),
    await attempt('once more', 'E_MEMBER_ALREADY', hub, good),
  ];
}

interface Token {
  readonly name: string;
  readonly state: string;
}

function report(
  hosts: number,
  joined: readonly Joined[],
  refused: readonly Refused[],
  strangers: number,
): Report {
  const right = refused.filter(({ code, expected }) => code === expected).length;
  const named = joined.filter(({ host, name }) => host === name).length;
  const slowest = Math.max(...joined.map(({ seconds }) => seconds));
  return {
    scenario: 'enrol',
    options: { hosts },
    rows: refused,
    targets: [
      equal('hosts that joined with one line, under the name of the token', named, hosts - 1),
      atMost('slowest join, seconds', slowest, JOIN_SECONDS_MAX),
      equal('attempts that ended as they must', right, refused.length),
      equal('members that a node of the other CA knows', strangers, 0),
    ],
    notes: joined.map(({ host, seconds }) => `${host} joined in ${rounded(seconds)} s`),
  };
}
