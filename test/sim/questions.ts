/**
 * The table of discovery, in the form of the published one, with its recommended column as target:
 * within 1.3 times. Cells are independent worlds, so they run on two threads.
 */
import type { Target, Values } from './ballots.js';
import { inThreads } from './cells.js';
import type { DiscoveryOptions, DiscoveryRow } from './scenarios/discovery.js';

const TOLERANCE = 1.3;

interface Published {
  readonly responses: number;
  readonly p50: number;
  readonly p99: number;
  readonly miss: number;
  readonly falseMisses: number;
}

/** Recommended, mean round trip 2.2 ms: by loss, peers and holders. */
const PUBLISHED: Readonly<Record<string, Published>> = {
  '0 10 1': { responses: 1.1, p50: 13.7, p99: 17.6, miss: 26.5, falseMisses: 0 },
  '0 100 10': { responses: 1.8, p50: 15, p99: 22.5, miss: 36.7, falseMisses: 0 },
  '0 1000 1000': { responses: 2, p50: 6.7, p99: 14, miss: 46.8, falseMisses: 0 },
  '0 10000 10000': { responses: 2.1, p50: 6.4, p99: 13.8, miss: 56.9, falseMisses: 0 },
  '0.01 10 1': { responses: 1.1, p50: 13.9, p99: 18.9, miss: 26.5, falseMisses: 0 },
  '0.01 1000 1000': { responses: 3.9, p50: 6.7, p99: 13.6, miss: 46.8, falseMisses: 0 },
  '0.05 10 1': { responses: 1.2, p50: 14, p99: 22, miss: 26.5, falseMisses: 0.0018 },
  '0.05 1000 1000': { responses: 5.6, p50: 7.2, p99: 14, miss: 46.8, falseMisses: 0 },
  '0.05 10000 10000': { responses: 7, p50: 6.7, p99: 13.8, miss: 56.9, falseMisses: 0 },
};
/** A cell of a few hundred requests shows no rarer ones. */
const FALSE_MISSES_SEEN = 0.01;

/** All cells, or those that the options name; adaptive beside classic. */
export async function runDiscovery(
  values: Values,
): Promise<{ rows: DiscoveryRow[]; targets: Target[] }> {
  const works = cellsOf(values).map((options) => ({ scenario: 'discovery', options }) as const);
  const rows = await inThreads<DiscoveryRow>(works, (work) =>
    work.scenario === 'discovery' ? work.options.peers : 0,
  );
  const judged = values['wifi'] === true || values['hinted'] === true ? [] : rows;
  return { rows, targets: judged.flatMap(judge) };
}

function cellsOf(values: Values): DiscoveryOptions[] {
  const list = (name: string, all: readonly number[]) => {
    return values[name] === undefined ? all : [Number(values[name])];
  };
  const seed = Number(values['seed'] ?? 1);
  const [hinted, wifi] = [values['hinted'] === true, values['wifi'] === true];
  const cells: DiscoveryOptions[] = [];
  for (const peers of list('nodes', [10, 100, 1000, 10_000])) {
    const trials = Number(values['trials'] ?? trialsFor(peers));
    for (const loss of list('loss', [0, 0.01, 0.05])) {
      const counts = new Set([1, Math.max(1, Math.round(peers / 10)), peers]);
      for (const holders of list('holders', [...counts])) {
        const cell = { peers, holders, loss, trials, seed, hinted, wifi };
        cells.push({ ...cell, profile: 'classic' }, { ...cell, profile: 'adaptive' });
      }
    }
  }
  return cells;
}

/** Fewer where each takes long. */
function trialsFor(peers: number): number {
  return peers <= 100 ? 300 : peers <= 1000 ? 60 : 16;
}

function judge(row: DiscoveryRow): Target[] {
  const published = PUBLISHED[`${row.loss} ${row.peers} ${row.holders}`];
  if (published === undefined || row.profile !== 'adaptive') return [];
  const cell = `${row.peers} peers, ${row.holders} holders, loss ${row.loss}, seed ${row.seed}`;
  const target = (name: string, value: number, atMost: number): Target => {
    return { name: `${cell}: ${name}`, value, atMost, pass: value <= atMost };
  };
  const falseMisses = Math.max(published.falseMisses, row.loss > 0 ? FALSE_MISSES_SEEN : 0);
  return [
    target('responses', row.responsesPerRequest, published.responses * TOLERANCE),
    target('hit p50 ms', row.hitP50Ms, published.p50 * TOLERANCE),
    target('hit p99 ms', row.hitP99Ms, published.p99 * TOLERANCE),
    target('miss ms', row.missMs, published.miss * TOLERANCE),
    target('false misses', row.falseMisses, falseMisses),
  ];
}

export function printDiscovery(rows: readonly DiscoveryRow[]): void {
  const head = 'profile    peers holders  loss trials  responses  packets  hit p50  hit p99';
  process.stdout.write(`${head}     miss  false  busiest/mean  seed\n`);
  for (const row of rows) {
    const cells = [
      row.profile.padEnd(9),
      String(row.peers).padStart(6),
      String(row.holders).padStart(7),
      String(row.loss).padStart(5),
      String(row.trials).padStart(6),
      row.responsesPerRequest.toFixed(2).padStart(10),
      row.packetsPerRequest.toFixed(2).padStart(8),
      row.hitP50Ms.toFixed(1).padStart(8),
      row.hitP99Ms.toFixed(1).padStart(8),
      row.missMs.toFixed(1).padStart(8),
      row.falseMisses.toFixed(4).padStart(6),
      (row.busiestOverMean?.toFixed(2) ?? '-').padStart(13),
      String(row.seed).padStart(5),
    ];
    process.stdout.write(`${cells.join(' ')}\n`);
  }
}
