/**
 * A set of many entries replaced as a whole and by a difference, on a host's real nft, while
 * packets come from an address that is on all the lists and from one that is on none.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, succeeded } from '../command.js';
import type { Host } from '../host.js';
import type { Lan } from '../lan.js';
import { during, type Flood } from './flood.js';

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));
const DEADLINE_MS = 120_000;
/** Entries that the difference changes: half of them go, as many come. */
const CHANGED = 1_000;

export interface Swap extends Flood {
  readonly entries: number;
  /** From the moment all was checked until it was in the kernel. */
  readonly putMs: number;
}

export async function swapUnderTraffic(
  lan: Lan,
  host: Host,
  entries: number,
  addresses: readonly [listed: string, open: string],
): Promise<{ readonly whole: Swap; readonly small: Swap }> {
  const directory = join(host.directory, 'swap');
  mkdirSync(directory, { recursive: true });
  const file = (name: string, from: number) => {
    const path = join(directory, name);
    writeFileSync(path, `${listFrom(entries - 1, from).join('\n')}\n${addresses[0]}\n`);
    return path;
  };
  const first = file('first', 0);
  const other = file('other', entries >> 1);
  const close = file('close', (entries >> 1) + CHANGED / 2);
  succeeded('an empty kernel', await host.run('nft', ['flush', 'ruleset']));
  const whole = await swapped(lan, host, addresses, [directory, first, other]);
  const small = await swapped(lan, host, addresses, [directory, other, close]);
  return { whole, small };
}

/** One change, with the packets that came during it alone. */
async function swapped(
  lan: Lan,
  host: Host,
  addresses: readonly string[],
  [directory = '', from = '', to = '']: readonly string[],
): Promise<Swap> {
  const args = [WORKER, '--directory', join(directory, 'data'), '--wait'];
  const worker = host.spawn(process.execPath, [...args, 'start', `swap=${from}`, `swap=${to}`]);
  await event(worker, 'swap', 1);
  const made: { putMs?: number } = {};
  const flood = await during(lan.router, addresses, host, async () => {
    worker.signal('SIGUSR2');
    made.putMs = await event(worker, 'swap', 2);
  });
  succeeded('the worker', await worker.within(DEADLINE_MS));
  const { stdout } = await host.run('nft', ['list', 'table', 'inet', 'peerage_firewall']);
  const listed = stdout.match(/\d+\.\d+\.\d+\.\d+/g)?.length ?? 0;
  return { ...flood, entries: listed, putMs: made.putMs ?? Number.NaN };
}

/** The time that the n-th event of that name tells. */
function event(worker: Command, name: string, times: number): Promise<number> {
  let seen = 0;
  return worker.line(`${name} ${times}`, DEADLINE_MS, (line) => {
    if (!line.includes(`"event":"${name}"`)) return undefined;
    seen += 1;
    return seen < times ? undefined : (JSON.parse(line) as { putMs: number }).putMs;
  });
}

/** Different addresses, no two next to each other, so that nothing could be joined. */
function listFrom(count: number, from: number): string[] {
  return Array.from({ length: count }, (_, at) => {
    const number = (from + at) * 2;
    return `${11 + (number >> 24)}.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
  });
}
