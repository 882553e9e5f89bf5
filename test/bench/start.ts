/**
 * `bench -- start`: from the start of the program until it is ready, and the memory of the core and
 * of each plugin's process, for a node with the url-cache.
 */
import { join } from 'node:path';
import { PeerageNode } from '../lan/node.js';
import { LoopbackPlace } from '../lan/place.js';
import { freePort } from '../lan/ports.js';
import { atMost, type Report, type Row, rounded } from '../lan/report.js';
import { Workspace } from '../lan/workspace.js';
import { quantile } from '../sim/statistics.js';
import type { Bench, BenchOptions } from './bench.js';
import { cpuSeconds, familyOf, memoryMiB } from './processes.js';

const ROUNDS = 3;
const LOOPBACK = '127.0.0.1';

export const start: Bench = {
  name: 'start',
  summary: 'from start to ready; memory of the core and of each plugin',
  missing: () => (process.platform === 'linux' ? undefined : 'skipped: needs /proc'),
  run,
};

async function run({ tiny, say }: BenchOptions): Promise<Report> {
  const workspace = new Workspace();
  const milliseconds: number[] = [];
  const cpu: number[] = [];
  let rows: Row[] = [];
  try {
    for (let round = 0; round < (tiny ? 1 : ROUNDS); round += 1) {
      const place = new LoopbackPlace(`n${round}`, LOOPBACK, join(workspace.directory, `${round}`));
      const port = await freePort(LOOPBACK);
      const node = new PeerageNode(place, { listen: { address: LOOPBACK, port } });
      const began = performance.now();
      await node.start();
      milliseconds.push(performance.now() - began);
      cpu.push(cpuSeconds(familyOf(node.pid)));
      rows = await memoryOf(node);
      await node.stop();
      say(`ready after ${Math.round(milliseconds.at(-1) ?? 0)} ms`);
    }
  } finally {
    workspace.dispose();
  }
  const core = Number(rows[0]?.['resident MiB']);
  return {
    scenario: 'start',
    options: { rounds: tiny ? 1 : ROUNDS },
    rows,
    targets: [atMost('memory of the core, MiB', core, 120)],
    notes: [
      `ready after ${Math.round(quantile(milliseconds, 0.5))} ms, ` +
        `${rounded(quantile(cpu, 0.5))} s of processor time of all its processes (medians)`,
    ],
  };
}

interface PluginRow {
  readonly id: string;
  readonly pid?: number;
}

async function memoryOf(node: PeerageNode): Promise<Row[]> {
  const plugins = (await node.ask('plugins', 'list')) as readonly PluginRow[];
  const processes = [{ id: 'core', pid: node.pid }, ...plugins];
  return processes.flatMap(({ id, pid }) => {
    if (pid === undefined) return [];
    const { resident, own } = memoryMiB(pid);
    return [{ process: id, 'resident MiB': rounded(resident), 'its own MiB': rounded(own) }];
  });
}
