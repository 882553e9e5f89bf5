/**
 * The table of flights: how often something leaves the Internet when a crowd wants it. The seeds of
 * a cell are worlds of their own, so they are shared out to two threads.
 */
import type { Target, Values } from './ballots.js';
import { inThreads } from './cells.js';
import {
  type FlightsOptions,
  type FlightsRow,
  type FlightsRun,
  flightsRow,
} from './scenarios/flights.js';

/** Pieces into which the seeds of a cell are cut. */
const PARTS = 8;

/** One download is right; with a node that dies, its part is fetched again by one other. */
export async function runFlights(
  values: Values,
): Promise<{ rows: FlightsRow[]; targets: Target[] }> {
  const cells = cellsOf(values);
  const works = cells.flatMap((cell) =>
    partsOf(cell).map((options) => ({ scenario: 'flights', cell, options }) as const),
  );
  const runs = await inThreads<FlightsRun[]>(works, costOf);
  const rows = cells.map((cell) => {
    const own = works.flatMap((work, index) => (work.cell === cell ? (runs[index] ?? []) : []));
    return flightsRow(cell, own);
  });
  return { rows, targets: rows.flatMap(judge) };
}

function cellsOf(values: Values): FlightsOptions[] {
  const list = (name: string, all: readonly number[]) =>
    values[name] === undefined ? all : [Number(values[name])];
  const nodes = Number(values['nodes'] ?? 100);
  const seeds = Number(values['seeds'] ?? (nodes > 300 ? 5 : 20));
  const firstSeed = Number(values['seed'] ?? 1);
  const kill = values['kill'] === true;
  const known = values['provider'] === undefined ? [false, true] : [values['provider'] === 'known'];
  return known.flatMap((provider) =>
    list('spread', [0, 50, 5000]).flatMap((spreadMs) =>
      list('loss', [0, 0.01, 0.05]).map((loss) => {
        return { nodes, spreadMs, loss, seeds, firstSeed, kill, provider };
      }),
    ),
  );
}

function partsOf(cell: FlightsOptions): FlightsOptions[] {
  const size = Math.ceil(cell.seeds / PARTS);
  const parts: FlightsOptions[] = [];
  for (let from = 0; from < cell.seeds; from += size) {
    const seeds = Math.min(size, cell.seeds - from);
    parts.push({ ...cell, firstSeed: cell.firstSeed + from, seeds });
  }
  return parts;
}

/** Every node hears nearly every packet of the others. */
function costOf({ options }: Parameters<Parameters<typeof inThreads>[1]>[0]): number {
  return 'nodes' in options ? options.nodes ** 2 * options.seeds : 0;
}

function judge(row: FlightsRow): Target[] {
  const { nodes, spreadMs, loss, kill, provider } = row;
  const cell = `${nodes} nodes, spread ${spreadMs} ms, loss ${loss}${provider ? ', provider' : ''}`;
  const atMost = (kill ? 1 : 0) + (loss <= 0.01 ? 1.01 : 1.1) + (kill ? 0.5 : 0);
  const downloads = { name: `${cell}: downloads`, value: row.downloadsMean, atMost };
  const unserved = { name: `${cell}: unserved`, value: row.unserved, atMost: 0 };
  return [downloads, unserved].map((one) => ({ ...one, pass: one.value <= one.atMost }));
}

export function printFlights(rows: readonly FlightsRow[]): void {
  process.stdout.write(
    'nodes  spread  loss  provider  seeds  downloads  worst (seed)  packets  overhead p50  max ms\n',
  );
  for (const row of rows) {
    const cells = [
      String(row.nodes).padStart(5),
      String(row.spreadMs).padStart(7),
      String(row.loss).padStart(5),
      (row.provider ? 'known' : 'none').padStart(9),
      String(row.seeds).padStart(6),
      row.downloadsMean.toFixed(4).padStart(10),
      `${row.downloadsWorst} (${row.worstSeed})`.padStart(13),
      row.packetsMean.toFixed(1).padStart(8),
      row.overheadP50Ms.toFixed(1).padStart(13),
      row.overheadMaxMs.toFixed(1).padStart(7),
    ];
    process.stdout.write(`${cells.join(' ')}\n`);
  }
}
