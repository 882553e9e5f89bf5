/**
 * `npm run sim -- SCENARIO`: simulated claims that anybody can rerun. Exit code 0 only if the
 * scenario's targets hold; a failing row names its seed.
 */
import { parseArgs } from 'node:util';
import { printRows, runElections, runFailovers, runPartitions, type Target } from './ballots.js';
import { printFlights, runFlights } from './downloads.js';
import { printDiscovery, runDiscovery } from './questions.js';

const USAGE = `npm run sim -- SCENARIO [--nodes N] [--loss P] [--seed S] [--json]

  discovery  [--holders K] [--trials T] [--hinted] [--wifi]   a URL that K of N peers hold
             without --nodes: 10 to 10,000 peers; 1, N/10 and N holders; loss 0, 1 and 5 %;
             classic beside adaptive, in minutes
  flights    [--seeds T] [--spread MS] [--kill] [--provider known|none]   N nodes want an absent
             URL at once; without --nodes: 100 nodes, spread 0, 50 and 5000 ms, loss 0, 1 and 5 %,
             with an elected provider and without
  election   [--seeds T] [--boot together|single|spread] [--profile P]  who provides, how soon
             without --nodes: 10, 100, 1000 and 10,000 nodes
  failover   [--seeds T]                             the provider dies; false take-overs
  partitions [--cycles C]                            partitions, crashes, restarts, checked
`;

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
      provider: text,
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
  const { rows, targets } = await runFlights(values);
  if (values.json !== true) printFlights(rows);
  if (values.json !== true) printMissed(targets);
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
