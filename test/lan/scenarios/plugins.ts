/**
 * `plugins`: fifteen bad plugins, one after the other, beside a good one that measures its own calls
 * with it and with an idle plugin in its place; and what a plugin's process costs.
 */
import { readFileSync } from 'node:fs';
import { PatternSet } from '@peerage/sdk/pattern.js';
import { type PluginText, pluginSource } from '../../host/rig.js';
import { BAD_PLUGINS, type BadPlugin } from '../bad-plugins.js';
import { atLeast, atMost, equal, type Report, type Row, rounded, type Target } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { STEADY, SteadyHost } from '../steady-plugin.js';
import { until } from '../until.js';

/** One look at the steady plugin's calls, in milliseconds, and how many beside each bad one. */
const LOOK_MS = 500;
const LOOKS = 3;
const SHARE_MAX = 1.1;
const SEEN_MS = 20_000;
const IDLE: PluginText = { source: pluginSource([], 'activate() {}'), urls: [] };
const TIMES = { activateMs: 3000, shutdownMs: 500, pingMs: 250, backoffMs: 200 };

export const plugins: Scenario = {
  name: 'plugins',
  summary: 'bad plugins beside a good one: what the admin sees, and what the good one feels',
  missing: () => undefined,
  run,
};

async function run({ say = () => undefined, runs = LOOKS }: ScenarioOptions): Promise<Report> {
  const host = new SteadyHost();
  const rows: Row[] = [];
  const targets: Target[] = [];
  try {
    await host.rig.start({ steady: STEADY }, TIMES);
    await host.measure(2000);
    for (const bad of BAD_PLUGINS) {
      say(bad.name);
      const { row, found } = await beside(host, bad, runs);
      rows.push(row);
      targets.push(...found);
    }
    say('figures');
    targets.push(...(await figures(host)));
  } finally {
    await host.end();
  }
  const notes = [
    'p99 of the good plugin’s calls, one at a time; median of the runs; to compare, an idle plugin was started beside it.',
    'The host is the product’s, in the lab’s own process; bodies are at hand.',
  ];
  return { scenario: 'plugins', options: { runs, lookMs: LOOK_MS }, rows, targets, notes };
}

/** One bad plugin: what was seen of it, and the good one's calls with and without it. */
async function beside(
  host: SteadyHost,
  bad: BadPlugin,
  looks: number,
): Promise<{ row: Row; found: Target[] }> {
  const { rig } = host;
  const steadyPid = rig.status('steady').pid;
  const alone: number[] = [];
  const together: number[] = [];
  let seen = '';
  for (let look = 0; look < looks; look += 1) {
    // To compare: a good plugin is put beside it, which costs a process as well.
    const good = host.beside({ bad: IDLE });
    alone.push((await host.measure(LOOK_MS)).p99Ms);
    await good;
    await host.beside({});
    const refused = host.beside({ bad: bad.plugin }).then(
      () => '',
      (error: unknown) => String(error),
    );
    together.push((await host.measure(LOOK_MS)).p99Ms);
    const said = await refused;
    seen = await until(`${bad.name} is seen`, SEEN_MS, () => {
      const status = rig.plugins().find(({ id }) => id === 'bad');
      const log = JSON.stringify(rig.logger.lines.slice(-20));
      const text = `${said} ${status?.lastError ?? ''} ${JSON.stringify(status?.counters ?? {})} ${log}`;
      return bad.says.exec(text)?.[0];
    });
    await host.beside({});
  }
  const [before, with_] = [median(alone), median(together)];
  const share = with_ / before;
  const row = {
    plugin: bad.name,
    seen,
    alone_p99_ms: rounded(before),
    beside_p99_ms: rounded(with_),
    share: rounded(share),
  };
  const untouched = rig.status('steady').pid === steadyPid && rig.status('steady').restarts === 0;
  return {
    row,
    found: [
      equal(`${bad.name}: the good plugin’s process goes on`, untouched, true),
      atMost(`${bad.name}: share of the good plugin’s p99`, share, SHARE_MAX),
    ],
  };
}

async function figures(host: SteadyHost): Promise<Target[]> {
  const one = await host.measure(2000);
  const many = await host.measure(2000, 64);
  const startedAt = performance.now();
  await host.beside({ idle: IDLE });
  const startMs = performance.now() - startedAt;
  const { pid } = host.rig.status('idle');
  return [
    atMost('start of a plugin’s process, plugins.json to active (ms)', startMs, 1000),
    atMost('private memory of an idle plugin’s process (MiB)', privateMiB(pid), 25),
    atLeast('round trips a second, one at a time', one.perSecond, 1000),
    atLeast('round trips a second, 64 in flight', many.perSecond, 2000),
    atMost('matching one URL with 500 patterns (µs)', matcherMicros(), 1.5),
  ];
}

/** Memory that the process has to itself, in MiB; 0 where the system does not say. */
function privateMiB(pid: number | undefined): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const kib = [...text.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].map(([, size]) => Number(size));
    return kib.reduce((sum, size) => sum + size, 0) / 1024;
  } catch {
    return 0;
  }
}

function matcherMicros(): number {
  const patterns = Array.from({ length: 500 }, (_, i) => `https://host${i}.example/*/file-*.deb`);
  const set = new PatternSet(patterns);
  const rounds = 20_000;
  let startedAt = 0;
  let hits = 0;
  for (let round = -rounds; round < rounds; round += 1) {
    // The first half warms up.
    if (round === 0) [startedAt, hits] = [performance.now(), 0];
    const number = Math.abs(round) % patterns.length;
    const url = `https://host${number}.example/pool/main/file-${number}.deb`;
    if (set.find(url) === patterns[number]) hits += 1;
  }
  const micros = ((performance.now() - startedAt) * 1000) / rounds;
  return hits === rounds ? micros : Number.POSITIVE_INFINITY;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
