/**
 * `npm run sim -- SCENARIO`: simulated claims that anybody can rerun. Exit code 0 only if the
 * scenario's targets hold; a failing row names its seed.
 */
import { parseArgs } from 'node:util';
import {
  printRows,
  runElections,
  runFailovers,
  runPartitions,
  type Target,
  type Values,
} from './ballots.js';
import { printDiscovery, runDiscovery } from './questions.js';
import { type FlightsRow, flights } from './scenarios/flights.js';

const USAGE = `npm run sim -- SCENARIO [--nodes N] [--loss P] [--seed S] [--json]

  discovery  [--holders K] [--trials T] [--hinted] [--wifi]   a URL that K of N peers hold
             without --nodes: 10 to 10,000 peers; 1, N/10 and N holders; loss 0, 1 and 5 %;
             classic beside adaptive, in minutes
  flights    [--seeds T] [--spread MS] [--kill]      N nodes want an absent URL at once
             without --nodes: 100 nodes, spread 0, 50 and 5000 ms, loss 0, 1 and 5 %
  election   [--seeds T] [--boot together|single|spread] [--profile P]  who provides, how soon
             without --nodes: 10, 100, 1000 and 10,000 nodes
  failover   [--seeds T]                             the provider dies; false take-overs
  partitions [--cycles C]                            partitions, crashes, restarts, checked
`;

/** One download is right; with a node that dies, its part is fetched again by one other. */
function runFlights(values: Values): { rows: FlightsRow[]; targets: Target[] } {
  const nodes = Number(values['nodes'] ?? 100);
  const seeds = Number(values['seeds'] ?? (nodes > 300 ? 5 : 20));
  const firstSeed = Number(values['seed'] ?? 1);
  const kill = values['kill'] === true;
  const spreads = values['spread'] === undefined ? [0, 50, 5000] : [Number(values['spread'])];
  const losses = values['loss'] === undefined ? [0, 0.01, 0.05] : [Number(values['loss'])];
  const rows = spreads.flatMap((spreadMs) => {
    return losses.map((loss) => flights({ nodes, spreadMs, loss, seeds, firstSeed, kill }));
  });
  const targets = rows.flatMap((row) => {
    const cell = `${nodes} nodes, spread ${row.spreadMs} ms, loss ${row.loss}`;
    const atMost = (kill ? 1 : 0) + (row.loss <= 0.01 ? 1.01 : 1.1) + (kill ? 0.5 : 0);
    const downloads = { name: `${cell}: downloads`, value: row.downloadsMean, atMost };
    const unserved = { name: `${cell}: unserved`, value: row.unserved, atMost: 0 };
    return [downloads, unserved].map((target) => ({
      ...target,
      pass: target.value <= target.atMost,
    }));
  });
  return { rows, targets };
}

function printFlights(rows: readonly FlightsRow[], targets: readonly Target[]): void {
  process.stdout.write(
    'nodes  spread  loss  seeds  downloads  worst (seed)  packets  overhead p50  max ms\n',
  );
  for (const row of rows) {
    const cells = [
      String(row.nodes).padStart(5),
      String(row.spreadMs).padStart(7),
      String(row.loss).padStart(5),
      String(row.seeds).padStart(6),
      row.downloadsMean.toFixed(4).padStart(10),
      `${row.downloadsWorst} (${row.worstSeed})`.padStart(13),
      row.packetsMean.toFixed(1).padStart(8),
      row.overheadP50Ms.toFixed(1).padStart(13),
      row.overheadMaxMs.toFixed(1).padStart(7),
    ];
    process.stdout.write(`${cells.join(' ')}\n`);
  }
  printMissed(targets);
}

function printMissed(targets: readonly Target[]): void {
  for (const { name, value, atMost } of targets.filter(({ pass }) => !pass)) {
    process.stdout.write(`MISSED ${name}: ${value}, at most ${atMost.toFixed(2)}\n`);
  }
  const held = targets.filter(({ pass }) => pass).length;
  process.stdout.write(`${held} of ${targets.length} targets hold\n`);
}

const BALLOTS: Readonly<Record<string, typeof runElections>> = {
  election: runElections,
  failover: runFailovers,
  partitions: runPartitions,
};

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      nodes: text,
      holders: text,
      loss: text,
      trials: text,
      seed: text,
      seeds: text,
      spread: text,
      boot: text,
      profile: text,
      cycles: text,
      hinted: flag,
      wifi: flag,
      kill: flag,
      json: flag,
    },
  });
  const [scenario = ''] = positionals;
  const ballots = Object.hasOwn(BALLOTS, scenario) ? BALLOTS[scenario] : undefined;
  if (ballots !== undefined) {
    const { rows, targets } = ballots(values);
    if (values.json !== true) printRows(rows);
    if (values.json !== true) printMissed(targets);
    return finish(scenario, rows, targets, values.json === true);
  }
  if (scenario !== 'discovery' && scenario !== 'flights') {
    process.stderr.write(USAGE);
    return 2;
  }
  if (scenario === 'discovery') {
    const { rows, targets } = await runDiscovery(values);
    if (values.json !== true) printDiscovery(rows);
    if (values.json !== true) printMissed(targets);
    return finish(scenario, rows, targets, values.json === true);
  }
  const { rows, targets } = runFlights(values);
  if (values.json !== true) printFlights(rows, targets);
  return finish(scenario, rows, targets, values.json === true);
}

function finish(
  scenario: string,
  rows: readonly object[],
  targets: readonly Target[],
  json: boolean,
): number {
  if (json) process.stdout.write(`${JSON.stringify({ scenario, rows, targets })}\n`);
  return targets.every(({ pass }) => pass) ? 0 : 1;
}

process.exitCode = await main();
