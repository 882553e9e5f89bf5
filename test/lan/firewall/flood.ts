/**
 * Traffic on the LAN while something is done: packets from addresses that are blocked and from
 * one that is not, and how many of each arrived.
 */
import { fileURLToPath } from 'node:url';
import { type Command, succeeded } from '../command.js';
import type { Host } from '../host.js';

const PROGRAM = fileURLToPath(new URL('./traffic.js', import.meta.url));
const PORT = 4000;
const START_DEADLINE_MS = 20_000;

export type Counts = Readonly<Record<string, number>>;

export interface Flood {
  readonly sent: Counts;
  readonly arrived: Counts;
}

/** Gives a host further addresses to send from. */
export async function addAddresses(host: Host, addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    const done = await host.run('ip', ['address', 'add', `${address}/32`, 'dev', 'eth0']);
    succeeded(`the address ${address} of ${host.name}`, done);
  }
}

/** Lets a host take packets from addresses that it has no way back to, as one without Internet. */
export async function acceptAnySource(host: Host): Promise<void> {
  const paths = ['all', 'eth0'].map((name) => `/proc/sys/net/ipv4/conf/${name}/rp_filter`);
  const script = paths.map((path) => `echo 0 > ${path}`).join('; ');
  succeeded(`the source check of ${host.name}`, await host.run('sh', ['-c', script]));
}

/** What arrives at `to` from addresses of `from` while `work` goes on. */
export async function during(
  from: Host,
  addresses: readonly string[],
  to: Host,
  work: () => Promise<void>,
): Promise<Flood> {
  const port = String(PORT);
  const counter = to.spawn(process.execPath, [
    ...[PROGRAM, 'count', '--address', to.address, '--port', port],
  ]);
  await ready(counter);
  const sender = from.spawn(process.execPath, [
    ...[PROGRAM, 'send', '--from', addresses.join(), '--to', to.address, '--port', port],
  ]);
  await ready(sender);
  await work();
  const sent = countsIn((await sender.stop()).stdout);
  const arrived = countsIn((await counter.stop()).stdout);
  return { sent, arrived };
}

/** What arrives within a moment, which is over when a control packet of `to` itself went through. */
export function reached(from: Host, addresses: readonly string[], to: Host): Promise<Flood> {
  return during(from, addresses, to, async () => {
    succeeded('a moment', await to.run('true', []));
  });
}

async function ready(program: Command): Promise<void> {
  await program.line('it is ready', START_DEADLINE_MS, (line) => line === 'ready' || undefined);
}

function countsIn(text: string): Counts {
  const line = text.split('\n').find((one) => one.includes('"counts"')) ?? '{"counts":{}}';
  return (JSON.parse(line) as { counts: Counts }).counts;
}
