/**
 * `kill`: all hosts want a new file, and the one that downloads it is killed at half (kill -9).
 *
 * Each run takes another file, so another host comes first in its order. Targets: every other host
 * ends with the identical file, the origin sent little more than the file, nobody stalled long.
 * What the origin counts it has handed to its connection: also what a killed host never read, up to
 * 0.6 MB of buffers. Nodes run without plugins and are asked on their local sockets, as in `crowd`.
 */
import { type Crowd, crowdTakes, throughNodes } from '../crowd.js';
import type { Taken } from '../crowd-client.js';
import { Group } from '../group.js';
import { Lan } from '../lan.js';
import type { PeerageNode } from '../node.js';
import { type OriginFile, originFile } from '../origin-file.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atMost, equal, type Report, type Row, rounded, type Target } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { until } from '../until.js';

const HOSTS = 8;
const LINE_RATE_KBIT = 20_000;
const LINK_RATE_KBIT = 100_000;
const SIZE_BYTES = 25_000_000;
const RUNS = 20;
const COPIES_MAX = { on: 1.1, off: 1.6 } as const;
const STALL_MAX_MS = 3000;
/** Half of the file has come by then also on a very slow machine, in milliseconds. */
const HALF_DEADLINE_MS = 120_000;
const FOUND_DEADLINE_MS = 10_000;

export const kill: Scenario = {
  name: 'kill',
  summary: 'the host that downloads is killed at half: the others go on from there',
  missing: missingForOrigin,
  run,
};

interface Run extends Row {
  readonly killed: string;
  readonly identical: number;
  readonly originCopies: number;
  readonly longestStallMs: number;
  readonly lastMs: number;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = HOSTS, runs = RUNS, range = 'on', sizeBytes = SIZE_BYTES, seed = 1 } = options;
  const say = options.say ?? (() => undefined);
  const rates = { internetRateKbit: LINE_RATE_KBIT, linkRateKbit: LINK_RATE_KBIT };
  const lan = Lan.create({ hosts, ...rates });
  const group = Group.on(lan.hosts, () => ({ plugins: false }));
  const rows: Run[] = [];
  try {
    const origin = await OriginService.start(lan.origin);
    await group.start();
    for (let number = seed; number < seed + runs; number += 1) {
      const file = originFile(`kill-${number}`, sizeBytes, range);
      await origin.reset();
      const { killed, crowd } = await takeAndKill(lan, group, file);
      const { total } = await origin.reset();
      rows.push(rowOf(number, killed, crowd, total.bodyBytes / sizeBytes));
      say(JSON.stringify(rows.at(-1)));
      await killed.start();
      await group.acquainted();
    }
    return report({ hosts, runs, seed, range, sizeBytes, ...rates }, rows);
  } finally {
    group.saveLogs(options.logsDirectory);
    await group.stop();
    lan.dispose();
  }
}

async function takeAndKill(
  lan: Lan,
  group: Group,
  file: OriginFile,
): Promise<{ killed: PeerageNode; crowd: Crowd }> {
  let killed: PeerageNode | undefined;
  const crowd = await crowdTakes(lan.hosts, file, throughNodes(group.nodes), async (clients) => {
    // Whose download it is is found out before, so that the kill comes just at half.
    await Promise.all(clients.map((client) => client.has(file.sizeBytes / 4, HALF_DEADLINE_MS)));
    killed = await until('a node that downloads', FOUND_DEADLINE_MS, () => downloader(group));
    await clients[group.nodes.indexOf(killed)]?.has(file.sizeBytes / 2, HALF_DEADLINE_MS);
    await killed.kill();
  });
  if (killed === undefined) throw new Error('invariant broken: nobody was killed');
  return { killed, crowd };
}

/** The node whose download comes from the Internet. */
async function downloader({ nodes }: Group): Promise<PeerageNode | undefined> {
  const shown = await Promise.all(nodes.map((node) => node.look('downloads')));
  const sources = shown.map((list) => (list as { source: string }[])[0]?.source);
  return nodes[sources.indexOf('origin')];
}

function rowOf(seed: number, killed: PeerageNode, crowd: Crowd, copies: number): Run {
  const survivors = crowd.taken.filter(({ host }) => host !== killed.place.name);
  const largest = (of: (taken: Taken) => number) => Math.max(...survivors.map(of));
  return {
    seed,
    killed: killed.place.name,
    identical: survivors.filter(({ identical }) => identical).length,
    originCopies: rounded(copies),
    longestStallMs: Math.round(largest(({ longestStallMs }) => longestStallMs)),
    lastMs: Math.round(largest(({ endedAt }) => endedAt) - crowd.beganAt),
  };
}

type Options = Report['options'] & {
  readonly hosts: number;
  readonly range: 'on' | 'off';
  readonly sizeBytes: number;
  readonly internetRateKbit: number;
};

function report(options: Options, rows: readonly Run[]): Report {
  const { hosts, range } = options;
  const worst = (of: (row: Run) => number) => Math.max(...rows.map(of));
  const fewest = Math.min(...rows.map(({ identical }) => identical));
  return {
    scenario: 'kill',
    options,
    rows,
    targets: [
      equal('fewest other hosts with the identical file', fewest, hosts - 1),
      atMost(
        'most originCopies',
        worst(({ originCopies }) => originCopies),
        COPIES_MAX[range],
      ),
      stall(
        options,
        worst(({ longestStallMs }) => longestStallMs),
      ),
    ],
    notes:
      range === 'on' ? [] : [`without Range: ${againMs(options)} ms of the stall are the line's`],
  };
}

/**
 * Without Range the successor has the first half sent again before the first byte that nobody has
 * comes: no protocol can make that shorter than the line needs for it, so what is judged is the rest.
 */
function stall(options: Options, longestStallMs: number): Target {
  if (options.range === 'on') return atMost('longest stall in ms', longestStallMs, STALL_MAX_MS);
  const name = 'longest stall in ms, less the time that the line needs for the lost half';
  return atMost(name, longestStallMs - againMs(options), STALL_MAX_MS);
}

/** How long the line takes for half of the file, in milliseconds. */
function againMs({ sizeBytes, internetRateKbit }: Options): number {
  return Math.round((sizeBytes / 2) * (8 / internetRateKbit));
}
