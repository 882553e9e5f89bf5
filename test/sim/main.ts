/**
 * `npm run sim -- SCENARIO`: simulated claims that anybody can rerun. Exit code 0 only if the
 * scenario's targets hold.
 */
import { parseArgs } from 'node:util';
import { type DiscoveryRow, discovery } from './scenarios/discovery.js';

const USAGE = `npm run sim -- discovery [--nodes N] [--holders K] [--loss P] [--trials T] [--seed S] [--hinted] [--json]

  Without --nodes: 10 and 100 peers with 1, N/10 and N holders, classic beside adaptive.
`;

interface Target {
  readonly name: string;
  readonly value: number;
  readonly atMost: number;
  readonly pass: boolean;
}

function runDiscovery(values: Record<string, string | boolean | undefined>): {
  rows: DiscoveryRow[];
  targets: Target[];
} {
  const sizes = values['nodes'] === undefined ? [10, 100] : [Number(values['nodes'])];
  const trials = Number(values['trials'] ?? 300);
  const seed = Number(values['seed'] ?? 1);
  const loss = Number(values['loss'] ?? 0);
  const rows: DiscoveryRow[] = [];
  for (const peers of sizes) {
    const all = [1, Math.max(1, Math.round(peers / 10)), peers];
    const counts =
      values['holders'] === undefined ? [...new Set(all)] : [Number(values['holders'])];
    for (const holders of counts) {
      for (const profile of ['classic', 'adaptive'] as const) {
        const hinted = values['hinted'] === true;
        rows.push(discovery({ peers, holders, loss, profile, trials, seed, hinted }));
      }
    }
  }
  return { rows, targets: rows.filter(({ profile }) => profile === 'adaptive').flatMap(judge) };
}

/** The published design's own bounds: about two answers, and a window that grows with ln n. */
function judge(row: DiscoveryRow): Target[] {
  const cell = `${row.peers} peers, ${row.holders} holders`;
  const target = (name: string, value: number, atMost: number): Target => {
    return { name: `${cell}: ${name}`, value, atMost, pass: value <= atMost };
  };
  const windowMs = Math.max(5, 2 * 2.2 * (1 + Math.log(row.peers)));
  const lossTolerated = row.loss === 0 ? 0 : 0.01;
  return [
    target('responses per request', row.responsesPerRequest, (row.loss === 0 ? 2.1 : 7) * 1.3),
    target('hit p99 ms', row.hitP99Ms, (windowMs + 8) * 1.3),
    target('miss ms', row.missMs, (windowMs + 12) * 1.3),
    target('false misses', row.falseMisses, lossTolerated),
  ];
}

function print(rows: readonly DiscoveryRow[], targets: readonly Target[]): void {
  process.stdout.write(
    'profile    peers holders  loss  responses  packets  hit p50  hit p99     miss  false  busiest/mean\n',
  );
  for (const row of rows) {
    const cells = [
      row.profile.padEnd(9),
      String(row.peers).padStart(6),
      String(row.holders).padStart(7),
      String(row.loss).padStart(5),
      row.responsesPerRequest.toFixed(2).padStart(10),
      row.packetsPerRequest.toFixed(2).padStart(8),
      `${row.hitP50Ms.toFixed(1)}`.padStart(8),
      `${row.hitP99Ms.toFixed(1)}`.padStart(8),
      `${row.missMs.toFixed(1)}`.padStart(8),
      row.falseMisses.toFixed(4).padStart(6),
      (row.busiestOverMean?.toFixed(2) ?? '-').padStart(8),
    ];
    process.stdout.write(`${cells.join(' ')}\n`);
  }
  for (const { name, value, atMost, pass } of targets.filter((target) => !target.pass)) {
    process.stdout.write(`MISSED ${name}: ${value}, at most ${atMost.toFixed(2)} ${pass}\n`);
  }
  process.stdout.write(
    `seed ${rows[0]?.seed}; ${targets.filter(({ pass }) => pass).length} of ${targets.length} targets hold\n`,
  );
}

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      nodes: { type: 'string' },
      holders: { type: 'string' },
      loss: { type: 'string' },
      trials: { type: 'string' },
      seed: { type: 'string' },
      hinted: { type: 'boolean' },
      json: { type: 'boolean' },
    },
  });
  if (positionals[0] !== 'discovery') {
    process.stderr.write(USAGE);
    return 2;
  }
  const { rows, targets } = runDiscovery(values);
  if (values.json === true)
    process.stdout.write(`${JSON.stringify({ scenario: 'discovery', rows, targets })}\n`);
  else print(rows, targets);
  return targets.every(({ pass }) => pass) ? 0 : 1;
}

process.exitCode = main();
