/**
 * `soak`: nodes under a mixed load for `--runs` minutes (30 is the long form). Memory, handles and
 * the delay of the event loop of each core must stay flat, by the node's own metrics; every answer
 * must be right. The store is small, so that objects come and go.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { succeeded } from '../command.js';
import { Group } from '../group.js';
import { Lan } from '../lan.js';
import type { PeerageNode } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atLeast, atMost, equal, type Report, type Row } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';

const CLIENT = fileURLToPath(new URL('../soak-client.js', import.meta.url));
const LINE_RATE_KBIT = 100_000;
const SLICE_SECONDS = 10;
const SLICES_A_MINUTE = 6;
const STORE_MIB = 64;
/** The engine's heap breathes; a leak of years would not stop at a quarter. */
const GROWTH_MAX = 1.25;
/** Flat means no worse than before; how late it is at all depends on the machine's other load. */
const DELAY_GROWTH_MAX = 1.5;
const DELAY_SECONDS_NOTICED = 0.02;
const HANDLES_GROWTH_MAX = 24;

export const soak: Scenario = {
  name: 'soak',
  summary: 'a mixed load for minutes (--runs): memory, handles and event loop stay flat',
  missing: missingForOrigin,
  run,
};

/** What one core is like after a slice. */
interface Sample {
  readonly residentBytes: number;
  readonly handles: number;
  readonly delaySeconds: number;
}

interface Counts {
  readonly wrong: number;
  readonly [kind: string]: number;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = 2, runs = 1, seed = 1 } = options;
  const say = options.say ?? (() => undefined);
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT });
  const group = Group.on(lan.hosts, () => ({ core: { storeQuotaMiB: STORE_MIB } }));
  try {
    const origin = await OriginService.start(lan.origin, {});
    await group.start();
    const samples: Sample[][] = [];
    const totals: Record<string, number> = {};
    for (let slice = 0; slice < runs * SLICES_A_MINUTE; slice += 1) {
      say(`slice ${slice + 1} of ${runs * SLICES_A_MINUTE}`);
      const asked = await Promise.all(
        group.nodes.map((node) => load(node, origin.url, seed * 10_000 + slice)),
      );
      for (const counts of asked) {
        for (const [kind, count] of Object.entries(counts))
          totals[kind] = (totals[kind] ?? 0) + count;
      }
      samples.push(await Promise.all(group.nodes.map((node) => sample(node))));
    }
    const settings = { hosts, minutes: runs, storeMiB: STORE_MIB };
    return report(settings, samples, totals);
  } finally {
    group.saveLogs(options.logsDirectory);
    await group.stop();
    lan.dispose();
  }
}

async function load(node: PeerageNode, origin: string, slice: number): Promise<Counts> {
  const { port } = new URL(node.proxyUrl);
  const words = [CLIENT, port, origin, String(SLICE_SECONDS), String(slice)];
  const done = await node.place.run(process.execPath, words);
  return JSON.parse(succeeded('the load', done).stdout) as Counts;
}

async function sample(node: PeerageNode): Promise<Sample> {
  const socket = join(node.stateDirectory, 'status.sock');
  const words = ['-sS', '--fail', '--unix-socket', socket, 'http://local/metrics'];
  const { stdout } = succeeded('the metrics', await node.place.run('curl', words));
  const value = (name: string) => {
    const line = stdout.split('\n').find((text) => text.startsWith(`peerage_${name} `));
    return Number(line?.split(' ')[1]);
  };
  return {
    residentBytes: value('process_resident_bytes'),
    handles: value('process_handles'),
    delaySeconds: value('event_loop_delay_seconds{quantile="p99"}'),
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The middle third against the last one; the first is for warming up. */
function report(
  options: { readonly hosts: number; readonly minutes: number; readonly storeMiB: number },
  samples: readonly Sample[][],
  totals: Readonly<Record<string, number>>,
): Report {
  const third = Math.floor(samples.length / 3);
  const rows: Row[] = [];
  const growth: number[] = [];
  const handles: number[] = [];
  const delays: number[] = [];
  for (let host = 0; host < options.hosts; host += 1) {
    const own = samples.map((slice) => slice[host]).filter((one) => one !== undefined);
    const middle = own.slice(third, 2 * third);
    const last = own.slice(2 * third);
    const resident = (part: Sample[]) => median(part.map(({ residentBytes }) => residentBytes));
    const open = (part: Sample[]) => median(part.map((one) => one.handles));
    const late = (part: Sample[]) => median(part.map(({ delaySeconds }) => delaySeconds));
    const before = Math.max(late(middle), DELAY_SECONDS_NOTICED);
    growth.push(resident(last) / resident(middle));
    handles.push(open(last) - open(middle));
    delays.push(late(last) / before);
    rows.push({
      host: `h${host + 1}`,
      'MB before': Math.round(resident(middle) / 1e6),
      'MB after': Math.round(resident(last) / 1e6),
      'handles before': open(middle),
      'handles after': open(last),
      'loop p99 ms before': Math.round(late(middle) * 1000),
      'loop p99 ms after': Math.round(late(last) * 1000),
    });
  }
  const { wrong = 0, ...right } = totals;
  const requests = Object.values(right).reduce((sum, count) => sum + count, 0);
  return {
    scenario: 'soak',
    options,
    rows,
    targets: [
      equal('wrong answers', wrong, 0),
      atLeast('requests', requests, options.minutes * SLICES_A_MINUTE),
      atMost('memory, last third over the one before', Math.max(...growth), GROWTH_MAX),
      atMost('handles more in the last third', Math.max(...handles), HANDLES_GROWTH_MAX),
      atMost('event loop delay p99, likewise', Math.max(...delays), DELAY_GROWTH_MAX),
    ],
    notes: [`requests: ${JSON.stringify(totals)}`],
  };
}
