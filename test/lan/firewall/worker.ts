/**
 * `node worker.js --directory D [--die-at N] ORDER …`: one host's firewall from its source to the
 * kernel, without a node around it: the plugin's own parts, the host's real nft, a disk of its own,
 * an origin and a LAN in memory. The orders, one after another, each answered by one JSON line:
 *
 *   start       puts in force what was in force last
 *   put=FILE    the origin has FILE now; a check of the source
 *   swap=FILE   puts FILE past source and shelf: the change alone, to be timed
 *
 * With `--wait` it waits for SIGUSR2 before its last order. With `--die-at N` the process kills itself at its N-th step: before or after a program, a write,
 * a request, or between two parts of a change.
 */
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Enforcer } from '@peerage/firewall/enforcer.js';
import { guardsFrom } from '@peerage/firewall/guards.js';
import { parseList } from '@peerage/firewall/lists/parse.js';
import { NftablesTarget } from '@peerage/firewall/nftables-target.js';
import { Probe } from '@peerage/firewall/probe.js';
import { Hub, lastGood, openSource, reasonOf } from '@peerage/firewall/sources.js';
import type { ProgramResult, ProgramService } from '@peerage/sdk';
import { ManifestPrograms } from '../../plugins/firewall/programs.js';
import { NO_FACTS } from '../../plugins/firewall/settings.js';
import { FakeLan } from '../../update-agent/fake-lan.js';

const URL = 'http://lists.test/own.netset';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    directory: { type: 'string', default: '.' },
    'die-at': { type: 'string' },
    wait: { type: 'boolean', default: false },
  },
});
const directory = values.directory;
const dieAt = Number(values['die-at'] ?? Infinity);
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let steps = 0;
/** When the last change began to be put, and when it was there. */
let put = { beganMs: 0, endedMs: 0 };

/** One more step is done; at the chosen one there is no further. */
function step(name = ''): void {
  if (name === 'checked') put = { beganMs: performance.now(), endedMs: 0 };
  if (name === 'put') put.endedMs = performance.now();
  steps += 1;
  if (steps === dieAt) process.kill(process.pid, 'SIGKILL');
}

class SteppedPrograms implements Pick<ProgramService, 'run'> {
  private readonly inner = new ManifestPrograms();

  async run(name: string, given: Readonly<Record<string, string>>): Promise<ProgramResult> {
    step();
    const result = await this.inner.run(name, given);
    step();
    return result;
  }
}

class SteppedStorage {
  private readonly values = new Map<string, unknown>();

  async get(key: string): Promise<unknown> {
    return this.values.get(key);
  }

  async set(key: string, value: unknown): Promise<void> {
    this.values.set(key, value);
    step();
  }
}

const lan = new FakeLan();
const node = lan.node('worker');
const programs = new SteppedPrograms();
mkdirSync(directory, { recursive: true });
const nftables = new NftablesTarget({
  programs,
  directory,
  directions: ['input', 'forward', 'output'],
  onStep: step,
});
const enforcer = new Enforcer({
  targets: [nftables],
  guards: async () => guardsFrom(NO_FACTS),
  probe: new Probe({ required: [], peers: async () => [], confirmMs: 0 }),
  keep: async () => step(),
  log: silent,
  onStep: step,
});
const source = await openSource(
  {
    name: 'own',
    format: 'list',
    url: URL,
    unauthenticated: 'accept',
    minEntries: 1,
    maxEntries: 250_000,
    maxShrinkPercent: 100,
    maxGrowthPercent: 1000,
    widest4: 8,
    widest6: 19,
  },
  {
    directory,
    node: 'worker',
    lan: new Hub(node),
    role: async () => 'poll',
    believes: () => true,
    pins: () => ({}),
    peering: {
      open: async (request) => {
        step();
        if (request.headers?.['cache-control'] === 'no-cache') lan.shared.delete(URL);
        return node.open(request);
      },
      publish: async (publication) => {
        step();
        return node.publish(publication);
      },
    },
    storage: new SteppedStorage(),
    now: () => Date.now() + steps * 60_000,
    enforcer,
    guards: async () => guardsFrom(NO_FACTS),
    suricata: undefined,
    minRules: 1,
    log: silent,
  },
);

async function start(): Promise<object> {
  const list = await lastGood(source, silent);
  await enforcer.start(list === undefined ? [] : [list]);
  return { entries: enforcer.inForce?.prefixes.length };
}

async function check(file: string): Promise<object> {
  lan.origin.set(URL, { body: readFileSync(file) });
  const report = await source.agent.check('command');
  return { outcome: report.outcome, reason: reasonOf(report) };
}

async function swap(file: string): Promise<object> {
  const { entries } = parseList('own', readFileSync(file), { format: 'list' });
  const beganMs = performance.now();
  await enforcer.put('own', { source: 'own', entries });
  const wholeMs = Math.round(performance.now() - beganMs);
  return { putMs: Math.round(put.endedMs - put.beganMs), wholeMs };
}

const told = once(process, 'SIGUSR2');
// A signal that is waited for keeps no process alive; an open port does.
new MessageChannel().port1.ref();
process.stdout.write('{"event":"ready"}\n');
for (const [index, order] of positionals.entries()) {
  if (values.wait && index === positionals.length - 1) await told;
  const [name = '', file = ''] = order.split('=');
  const work = { start, put: () => check(file), swap: () => swap(file) }[name];
  const done = await work?.();
  const version = enforcer.inForce?.version;
  process.stdout.write(`${JSON.stringify({ event: name, steps, version, ...done })}\n`);
}
process.exit(0);
