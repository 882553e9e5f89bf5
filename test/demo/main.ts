/**
 * `npm run demo`: a LAN of several nodes on this machine's loopback, no root, nothing leaves it.
 * All ask for one file at the same moment; who fetches, who waits and what is saved is shown live.
 * Ends by itself, 0 if the file came over the line once and is right everywhere.
 */
import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ask } from '@peerage/core/cli/client.js';
import { formatBytes } from '@peerage/core/cli/print.js';
import { describeRecord } from '@peerage/core/cli/why.js';
import type { DownloadStatus } from '@peerage/core/ports/ports.js';
import type { WhyRecord } from '@peerage/core/ports/why.js';
import { sha256Of } from '../fakes/content.js';
import { until } from '../lan/until.js';
import { jsonOf, type Outcome } from '../service/program.js';
import { enrol, type Machine, NAMES, startAll } from './machines.js';
import { SlowOrigin } from './slow-line.js';

const MB = 1_000_000;
const DEADLINE_MS = 120_000;
const BAR = 24;

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '5' },
    megabytes: { type: 'string', default: '24' },
    rate: { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
  },
});
const count = Math.min(NAMES.length, Math.max(2, Number(values.nodes)));
const sizeBytes = Number(values.megabytes) * MB;
const bytesPerSecond = Number(values.rate) * MB;

const say = (text: string) => void (values.json || process.stdout.write(`${text}\n`));

/** One line for a machine: where its bytes come from just now. */
async function lineOf({ name, node }: Machine, isDone: boolean): Promise<string> {
  const [download] = (await ask(node.directory, 'GET', '/downloads')) as DownloadStatus[];
  if (download === undefined) return `${name.padEnd(6)} ${isDone ? bar(1, 'has it') : 'asks'}`;
  const { source, from, receivedBytes } = download;
  const whence = source === 'origin' ? 'fetches from the Internet' : `gets it from ${from}`;
  const what = from === '' ? 'asks the others' : whence;
  return `${name.padEnd(6)} ${bar(receivedBytes / sizeBytes, what)}`;
}

function bar(share: number, what: string): string {
  const filled = '#'.repeat(Math.floor(share * BAR)).padEnd(BAR);
  return `[${filled}] ${String(Math.floor(share * 100)).padStart(3)} %  ${what}`;
}

/** Shows the machines until all have it; over itself on a terminal, else whenever roles change. */
async function showLive(
  machines: readonly Machine[],
  done: ReadonlySet<string>,
  origin: SlowOrigin,
) {
  let drawn = '';
  const { isTTY } = process.stdout;
  await until('everybody has it', DEADLINE_MS, async () => {
    const lines = await Promise.all(machines.map((one) => lineOf(one, done.has(one.name))));
    lines.push(`line   ${formatBytes(origin.sentBytes)} came from the Internet`);
    const roles = lines
      .slice(0, -1)
      .map((line) => line.replace(/\[.*%/, ''))
      .join();
    if (isTTY && drawn !== '') process.stdout.write(`\u001b[${lines.length}A`);
    if (isTTY) say(lines.map((line) => `${line}\u001b[K`).join('\n'));
    else if (roles !== drawn) say(`${lines.join('\n')}\n`);
    drawn = roles;
    return done.size === machines.length ? true : undefined;
  });
}

async function run(
  root: string,
  origin: SlowOrigin,
  machines: readonly Machine[],
): Promise<number> {
  say(`\nall ${count} ask for the same ${formatBytes(sizeBytes)} at the same moment:\n`);
  const startedAt = performance.now();
  const done = new Set<string>();
  const files = machines.map(({ name }) => join(root, `${name}.bin`));
  const got = machines.map(async ({ name, node }, i): Promise<Outcome> => {
    const words = ['--sha256', origin.sha256, '-o', files[i] ?? '', '--json'];
    const outcome = await node.run('get', origin.url, ...words);
    done.add(name);
    return outcome;
  });
  await showLive(machines, done, origin);
  const seconds = (performance.now() - startedAt) / 1000;
  const sources = (await Promise.all(got)).map((one) => jsonOf<{ source: string }>(one).source);
  const contents = await Promise.all(files.map((file) => readFile(file)));
  const right = contents.filter((bytes) => sha256Of(bytes) === origin.sha256).length;
  const [waiter] = machines.filter((_, i) => sources[i] === 'peer');
  const records = (await waiter?.node.json<WhyRecord[]>('why', origin.url)) ?? [];
  const aloneSeconds = (count * sizeBytes) / bytesPerSecond;
  const figures = {
    nodes: count,
    fileBytes: sizeBytes,
    internetBytes: origin.sentBytes,
    internetBodies: origin.bodies,
    savedBytes: count * sizeBytes - origin.sentBytes,
    identicalFiles: right,
    seconds: Math.round(seconds * 10) / 10,
    secondsWithout: aloneSeconds,
  };
  if (values.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  say(`\n${right} of ${count} have the right file after ${seconds.toFixed(1)} s.`);
  say(
    `The line carried ${formatBytes(origin.sentBytes)}; each by itself: ${formatBytes(count * sizeBytes)} in ${aloneSeconds} s.`,
  );
  say(`Saved: ${formatBytes(figures.savedBytes)}.`);
  const [record] = records;
  if (record !== undefined) say(`\n${waiter?.name}$ peerage why ${describeRecord(record)}`);
  return right === count && origin.sentBytes <= sizeBytes * 1.01 ? 0 : 1;
}

async function main(): Promise<number> {
  const root = mkdtempSync(join(tmpdir(), 'peerage-demo-'));
  const origin = await SlowOrigin.start(sizeBytes, bytesPerSecond);
  let machines: Machine[] = [];
  const end = async () => {
    await Promise.all(machines.map(({ node }) => node.stop()));
    await origin.close();
    await rm(root, { recursive: true, force: true });
  };
  process.once('SIGINT', () => void end().then(() => process.exit(130)));
  try {
    say(
      `${count} nodes on loopback addresses of this machine, behind a line of ${values.rate} MB/s`,
    );
    machines = await startAll(await enrol(root, count));
    say('they found each other');
    return await run(root, origin, machines);
  } finally {
    await end();
  }
}

process.exitCode = await main();
