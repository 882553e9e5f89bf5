/** Several nodes of one group on loopback addresses of this machine, each a process of its own. */
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ask } from '@peerage/core/cli/client.js';
import { freePacketPort, freePort } from '../fakes/ports.js';
import { until } from '../lan/until.js';
import { NodeProcess, type NodeSettings, peerage } from '../service/program.js';

export const NAMES = ['anna', 'bert', 'cleo', 'dora', 'emil', 'fred', 'gina', 'hugo'];
/** Beyond the addresses that other tests use. */
const FIRST_ADDRESS = 21;
const DEADLINE_MS = 120_000;

export interface Machine {
  readonly name: string;
  readonly node: NodeProcess;
}

/** The state directories of one group: the first makes it, the others get their identities. */
export async function enrol(root: string, count: number): Promise<string[]> {
  const directories = NAMES.slice(0, count).map((name) => join(root, name));
  const [first = ''] = directories;
  const made = await peerage('ca', 'init', '--group', 'demo', '--name', 'anna', '--state', first);
  if (made.code !== 0) throw new Error(made.stderr);
  for (const [i, directory] of directories.entries()) {
    if (i === 0) continue;
    const name = NAMES[i] ?? '';
    const file = join(first, `${name}.pem`);
    await mkdir(directory);
    await peerage('ca', 'issue', name, '--out', file, '--state', first);
    await copyFile(file, join(directory, 'identity.pem'));
  }
  return directories;
}

/** Starts a node in each directory, the plugins on the first alone; waits until all know all. */
export async function startAll(
  directories: readonly string[],
  plugins: NodeSettings['plugins'] = {},
): Promise<Machine[]> {
  const packetPort = await freePacketPort('127.0.0.1');
  const objectPort = await freePort('127.0.0.1');
  const machines = await Promise.all(
    directories.map(async (directory, i) => {
      const address = `127.0.0.${i + FIRST_ADDRESS}`;
      const core = { address, packetPort, objectPort, originAllow: ['127.0.0.0/8'] };
      const settings = { core, plugins: i === 0 ? plugins : {} };
      return { name: NAMES[i] ?? '', node: await NodeProcess.start(directory, settings) };
    }),
  );
  for (const { name, node } of machines) {
    await until(`${name} sees the others`, DEADLINE_MS, async () => {
      const peers = (await ask(node.directory, 'GET', '/peers')) as unknown[];
      return peers.length >= directories.length - 1 ? true : undefined;
    });
  }
  return machines;
}
