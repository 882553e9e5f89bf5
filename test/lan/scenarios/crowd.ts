/**
 * `crowd`: all hosts want the same new file at the same moment, behind a thin line.
 *
 * One host alone, without Peerage, shows what the line can do; then all ask within 50 ms. Targets:
 * the file leaves the origin once, and the last host has it almost as soon as one alone would. To
 * spare a small machine's processors the nodes run without plugins, and the clients are curls on
 * the nodes' local sockets.
 */
import { missingAria2, takeByAria2 } from '../aria2.js';
import { atRest } from '../at-rest.js';
import {
  type Crowd,
  clientRows,
  crowdRow,
  crowdTakes,
  directly,
  SPREAD_MAX_MS,
  throughNodes,
} from '../crowd.js';
import { Group } from '../group.js';
import { Lan } from '../lan.js';
import { type OriginFile, originFile } from '../origin-file.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atMost, equal, type Report, type Row, rounded, type Target } from '../report.js';
import type { Peer, Scenario, ScenarioOptions } from '../scenario.js';

const HOSTS = 16;
const LINE_RATE_KBIT = 20_000;
const LINK_RATE_KBIT = 100_000;
const SIZE_BYTES = 25_000_000;
const COPIES_MAX = 1.01;
const RATIO_MAX = 1.15;

export const crowd: Scenario = {
  name: 'crowd',
  summary: 'a new file, all hosts at once: it leaves the origin once, at the speed of the line',
  peers: ['peerage', 'direct', 'aria2'],
  missing: missingForOrigin,
  run,
};

interface Taking {
  readonly row: Row & { readonly originCopies: number };
  readonly crowd: Crowd;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = HOSTS, peer = 'peerage', sizeBytes = SIZE_BYTES } = options;
  const say = options.say ?? (() => undefined);
  const missing = peer === 'aria2' ? missingAria2() : undefined;
  say(missing ?? `${hosts} hosts, links ${LINK_RATE_KBIT} kbit/s, line ${LINE_RATE_KBIT} kbit/s`);
  const rates = { internetRateKbit: LINE_RATE_KBIT, linkRateKbit: LINK_RATE_KBIT };
  const lan = Lan.create({ hosts, ...rates });
  try {
    const origin = await OriginService.start(lan.origin);
    say('one host alone, directly');
    const alone = await crowdTakes([lan.host(1)], originFile('alone', sizeBytes), directly);
    await origin.reset();
    const ways: Peer[] = peer === 'aria2' && missing === undefined ? ['peerage', 'aria2'] : [peer];
    const takings: Taking[] = [];
    for (const way of ways) {
      say(`all at once: ${way}`);
      const file = originFile(way, sizeBytes);
      const all = await taken(way, lan, file, options);
      const { total } = await origin.reset();
      const row = crowdRow(way, all, total.bodyBytes, file);
      takings.push({ row: withAlone(row, alone), crowd: all });
    }
    const [own] = takings;
    if (own === undefined) throw new Error('invariant broken: nobody took anything');
    return {
      scenario: 'crowd',
      options: { hosts, peer, sizeBytes, ...rates },
      rows: takings.map(({ row }) => row),
      details: clientRows(own.crowd),
      targets: targets(own, alone, hosts),
      notes: missing === undefined ? [] : [missing],
    };
  } finally {
    lan.dispose();
  }
}

async function taken(
  way: Peer,
  lan: Lan,
  file: OriginFile,
  { logsDirectory }: ScenarioOptions,
): Promise<Crowd> {
  if (way === 'aria2') return takeByAria2(lan.hosts, file);
  if (way === 'direct') return crowdTakes(lan.hosts, file, directly);
  const group = Group.on(lan.hosts, () => ({ plugins: false }));
  try {
    await group.start();
    // On a machine that others use too the word to begin is not kept waiting for ever.
    await atRest().catch(() => undefined);
    return await crowdTakes(lan.hosts, file, throughNodes(group.nodes));
  } finally {
    group.saveLogs(logsDirectory);
    await group.stop();
  }
}

function withAlone<T extends Row & { lastMs: number }>(row: T, { lastMs }: Crowd) {
  return { ...row, oneAloneMs: Math.round(lastMs), ratio: rounded(row.lastMs / lastMs) };
}

function targets({ row, crowd: all }: Taking, alone: Crowd, hosts: number): Target[] {
  return [
    atMost('originCopies', row.originCopies, COPIES_MAX),
    atMost('ratio of lastMs to oneAloneMs', all.lastMs / alone.lastMs, RATIO_MAX),
    equal('hosts with the identical file', all.identical, hosts),
    atMost('ms between the first request and the last', all.spreadMs, SPREAD_MAX_MS),
  ];
}
