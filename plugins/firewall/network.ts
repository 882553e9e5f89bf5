/**
 * Reads what this machine needs to stay reachable: its tables, its peers, its allow-list.
 *
 * The process of a plugin may read nothing beyond its own directory, so the core runs a program
 * that prints the tables; which are named in the manifest, and no value of ours is part of it.
 */
import { networkInterfaces } from 'node:os';
import { CodedError, type ProgramService, type StatusService } from '@peerage/sdk';
import type { NetworkFacts } from './guards.js';

export interface NetworkPorts {
  readonly programs: Pick<ProgramService, 'run'>;
  readonly status: Pick<StatusService, 'peers'>;
  readonly sshPorts: readonly number[];
  readonly allowed: () => readonly string[];
}

/** @throws CodedError `E_NETWORK_UNKNOWN`: without the tables nothing may be put in force */
export async function readNetwork(ports: NetworkPorts): Promise<NetworkFacts> {
  const { stdout, stderr } = await ports.programs.run('tables', {});
  const files = sectionsOf(stdout);
  if (files.size === 0) {
    throw new CodedError(
      'E_NETWORK_UNKNOWN',
      `the routes cannot be read: ${stderr.slice(0, 200)}`,
      {
        expected: 'the tables of /proc/net',
        action: 'grant the program "tables" to the plugin; nothing new is put in force until then',
      },
    );
  }
  return {
    subnets: Object.values(networkInterfaces()).flatMap((addresses) =>
      (addresses ?? []).flatMap(({ cidr }) => cidr ?? []),
    ),
    files,
    peers: await peerAddresses(ports.status),
    sshPorts: ports.sshPorts,
    allowed: ports.allowed(),
  };
}

/** The addresses of the live peers. */
export async function peerAddresses(
  status: Pick<StatusService, 'peers'>,
): Promise<readonly string[]> {
  return (await status.peers()).flatMap(({ address }) =>
    typeof address === 'string' ? [address] : [],
  );
}

/** The files that `head -v` printed one after another. */
function sectionsOf(text: string): Map<string, string> {
  const [, ...parts] = text.split(/^==> (\/\S+) <==$/m);
  const sections = new Map<string, string>();
  for (let at = 0; at + 1 < parts.length; at += 2) {
    sections.set(parts[at] ?? '', parts[at + 1] ?? '');
  }
  return sections;
}
