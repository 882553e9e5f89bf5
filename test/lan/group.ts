/**
 * Nodes that belong together: the first place makes the CA, the others get their identities from
 * it, all start, and the group stands when everybody knows everybody.
 */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '@peerage/sdk';
import { succeeded } from './command.js';
import { type NodeConfig, PeerageNode } from './node.js';
import type { Place } from './place.js';
import { until } from './until.js';

/** Everybody has heard everybody's hello by then, in milliseconds. */
const ACQUAINTED_DEADLINE_MS = 60_000;

export class Group {
  readonly nodes: readonly PeerageNode[];

  private constructor(nodes: readonly PeerageNode[]) {
    this.nodes = nodes;
  }

  /** A node for each place; none is enrolled or started yet. */
  static on(places: readonly Place[], configOf: (place: Place) => NodeConfig): Group {
    return new Group(places.map((place) => new PeerageNode(place, configOf(place))));
  }

  /** The node on the place with this number, from 1. */
  node(number: number): PeerageNode {
    const node = this.nodes[number - 1];
    if (node === undefined) throw new CodedError('E_LAB_OPTIONS', `there is no node ${number}`);
    return node;
  }

  /** Enrols and starts all nodes and waits until each of them knows all others. */
  async start(): Promise<void> {
    await this.enrol();
    await Promise.all(this.nodes.map((node) => node.start()));
    await this.acquainted();
  }

  /** Gives every node its identity: by `ca init` for the first, `ca issue` for the others. */
  async enrol(): Promise<void> {
    const authority = this.node(1);
    for (const { stateDirectory } of this.nodes) {
      mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    }
    const named = ['--name', authority.place.name];
    succeeded('peerage ca init', await authority.command('ca', 'init', ...named));
    for (const node of this.nodes.slice(1)) {
      const { name } = node.place;
      const issued = join(authority.place.directory, `${name}.pem`);
      const issue = ['ca', 'issue', name, '--out', issued];
      succeeded(`peerage ca issue ${name}`, await authority.command(...issue));
      copyFileSync(issued, join(node.stateDirectory, 'identity.pem'));
    }
  }

  /** Waits until each node knows all others. */
  async acquainted(): Promise<void> {
    const others = this.nodes.length - 1;
    for (const node of this.nodes) {
      let known: number | undefined;
      const look = async () => {
        known = await node.countPeers();
        return known === others ? true : undefined;
      };
      await until(
        `${node.place.name} knows ${others} others`,
        ACQUAINTED_DEADLINE_MS,
        look,
        () => `it knows ${known ?? 'nobody, for it does not answer'}; it logged: ${tail(node.log)}`,
      );
    }
  }

  /** Writes each node's log to a file in `directory`, if there is one to write to. */
  saveLogs(directory: string | undefined): void {
    if (directory === undefined) return;
    mkdirSync(directory, { recursive: true });
    for (const { place, log } of this.nodes)
      writeFileSync(join(directory, `${place.name}.log`), log);
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

function tail(log: string): string {
  return log.slice(-1500);
}
