/**
 * A LAN of nodes in memory: what one has fetched the others get from it, as far as they can reach
 * each other. No sockets, no processes, no time but the clock's.
 *
 * It keeps the services' contracts (grants, digests, freshness, sources), not the protocol: nodes
 * find each other at once and packets are not lost. That is tested on the real node.
 */
import type { ElectionState } from '@peerage/sdk';
import { TestClock } from './clock.js';
import { TestNode } from './node.js';
import { TestOrigin } from './origin.js';

/** A packet of a plugin's own type on its way. */
export interface Packet {
  readonly service: string;
  readonly name: string;
  readonly values: Readonly<Record<string, string>>;
}

export class TestLan {
  readonly clock = new TestClock();
  readonly origin = new TestOrigin();
  private readonly nodes = new Map<string, TestNode>();
  private readonly elected = new Map<string, { readonly node: string; readonly epoch: number }>();
  private sides: ReadonlyArray<readonly string[]> = [];

  /** The node of that name; made when it is first asked for. */
  node(name: string): TestNode {
    const node = this.nodes.get(name) ?? new TestNode(name, this);
    this.nodes.set(name, node);
    return node;
  }

  /** Cuts the LAN: nodes reach only those of their own side. Without sides it is whole again. */
  partition(...sides: ReadonlyArray<readonly string[]>): void {
    this.sides = sides;
    for (const service of this.elected.keys()) this.tell(service);
  }

  /** Makes a node the provider of a service (a plugin's id, or `network`); `undefined`: nobody. */
  elect(service: string, node: string | undefined): void {
    const { epoch = 0 } = this.elected.get(service) ?? {};
    this.elected.set(service, { node: node ?? '', epoch: epoch + 1 });
    this.tell(service);
  }

  /** Ends all plugins of all nodes. */
  async end(): Promise<void> {
    for (const node of this.nodes.values()) await node.end();
  }

  /** The nodes that `from` reaches, without itself. */
  reachable(from: string): TestNode[] {
    return [...this.nodes.values()].filter(({ name }) => {
      if (name === from) return false;
      const side = this.sides.find((names) => names.includes(from));
      return side === undefined ? this.sides.length === 0 : side.includes(name);
    });
  }

  /** What `node` knows of an election. */
  state(service: string, node: string): ElectionState {
    const { node: name = '', epoch = 0 } = this.elected.get(service) ?? {};
    const isThere = name === node || this.reachable(node).some((other) => other.name === name);
    const provider = isThere && name !== '' ? { node: name, isSelf: name === node } : undefined;
    const reason = provider === undefined ? 'nobody' : 'the test says so';
    return { provider, backup: undefined, epoch, sinceMs: this.clock.wallMs(), reason };
  }

  private tell(service: string): void {
    for (const node of this.nodes.values()) node.electionChanged(service);
  }
}
