/**
 * What the labs of the election share: settings by which a node tests the Internet at the lab's
 * own origin, and who provides by what the nodes print and log.
 */

import type { Group } from './group.js';
import { ORIGIN_NAME } from './lan.js';
import type { NodeConfig, PeerageNode } from './node.js';
import { until } from './until.js';

/** Everybody agrees by then, in milliseconds. */
const AGREED_DEADLINE_MS = 30_000;
/** The service of the network-wide provider. */
const SERVICE = 'network';

/** A node of an election lab: the lab's origin stands for the Internet. */
export function electing(election: Readonly<Record<string, unknown>> = {}): NodeConfig {
  const probeUrls = [`http://${ORIGIN_NAME}/bytes/10/probe`];
  return { core: { election: { probeUrls, ...election } } };
}

interface Named {
  readonly node: string;
}

export interface Election {
  readonly service: string;
  readonly provider?: Named;
  readonly backup?: Named;
  readonly epoch: number;
}

/** What `peerage elections` says of the network-wide service; `undefined` while it does not answer. */
export async function electionOf(node: PeerageNode): Promise<Election | undefined> {
  const asked = await node.command('elections', '--json');
  if (asked.code !== 0) return undefined;
  const rows = JSON.parse(asked.stdout) as Election[];
  return rows.find(({ service }) => service === SERVICE);
}

/** Waits until all nodes name the same provider and, if wanted, the same backup. */
export async function agreed(
  nodes: readonly PeerageNode[],
  right: (election: Election) => boolean = () => true,
): Promise<Election> {
  let seen: unknown;
  return until(
    'all agree on the provider',
    AGREED_DEADLINE_MS,
    async () => {
      const said = await Promise.all(nodes.map((node) => electionOf(node)));
      seen = said.map((each) => `${each?.provider?.node}/${each?.backup?.node}`);
      const [first] = said;
      if (first?.provider === undefined || !right(first)) return undefined;
      const same = said.every(
        (each) =>
          each?.provider?.node === first.provider?.node &&
          each?.backup?.node === first.backup?.node,
      );
      return same ? first : undefined;
    },
    () => JSON.stringify(seen),
  );
}

/** The node with this name. */
export function nodeNamed(group: Group, name: string | undefined): PeerageNode {
  const node = group.nodes.find(({ place }) => place.name === name);
  if (node === undefined) throw new Error(`there is no node ${name}`);
  return node;
}

/** When a node logged that this one provides, after the moment given; `undefined` if it has not. */
export function toldAt(node: PeerageNode, provider: string, afterMs: number): number | undefined {
  for (const line of node.log.split('\n')) {
    if (!line.includes('"event":"provider"')) continue;
    const event = JSON.parse(line) as { time: string; service: string; provider: string };
    const at = Date.parse(event.time);
    if (event.service === SERVICE && event.provider === provider && at >= afterMs) return at;
  }
  return undefined;
}
