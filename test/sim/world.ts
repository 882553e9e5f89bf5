/**
 * A world to simulate in: the heart's own code on any number of nodes, a virtual clock, a network
 * that loses, delays, duplicates and parts. The same seed gives the same transcript; a failing run
 * prints its seed.
 */
import { createHash } from 'node:crypto';
import { SeededRandom } from '@peerage/core/base/random.js';
import type { Copies, PeerOptions } from '@peerage/core/protocol/context.js';
import type { Designation, Effect, Source } from '@peerage/core/protocol/effect.js';
import type { Message, Sender } from '@peerage/core/protocol/message.js';
import { Peer } from '@peerage/core/protocol/peer.js';
import { Arrivals } from './arrivals.js';
import { EventHeap } from './heap.js';
import { Network, type NetworkOptions } from './network.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** What a scenario learns from a node. */
export interface NodeEvents {
  retrieve(want: number, source: Source): void;
  settle(want: number, ok: boolean): void;
  designate?(designation: Designation): void;
  keepEpoch?(epoch: number): void;
}

export interface SimNode {
  readonly peer: Peer;
  readonly sender: Sender;
  events: NodeEvents;
  /** When it is to be woken; the world's own. */
  armedFor: number | undefined;
  dead: boolean;
}

const SILENT: NodeEvents = { retrieve: () => undefined, settle: () => undefined };
const NO_COPIES: Copies = { find: () => undefined, downloading: () => undefined };

export interface WorldOptions {
  readonly seed: number;
  readonly network: NetworkOptions;
  /** Whether to hash everything that happens, for the test of reproducibility. */
  readonly transcript?: boolean;
}

export class World {
  readonly random: SeededRandom;
  readonly network: Network;
  readonly nodes: SimNode[] = [];
  private readonly byAddress = new Map<string, SimNode>();
  private readonly heap = new EventHeap();
  /** Whom a broadcast goes to, while nobody comes or dies. */
  private audience: readonly SimNode[] | undefined;
  private readonly transcript: ReturnType<typeof createHash> | undefined;
  private born = 0;
  now = 0;

  constructor(options: WorldOptions) {
    this.random = new SeededRandom(options.seed);
    this.network = new Network(options.network, this.random.fork('network'));
    this.transcript = options.transcript === true ? createHash('sha256') : undefined;
  }

  /** Adds a node; it says nothing until something calls it. */
  addNode(options: Partial<PeerOptions> = {}): SimNode {
    const index = this.born;
    this.born += 1;
    const kid = options.kid ?? `node-${index}`;
    // A node that comes back under its old name is another run, with chances of its own.
    const random = this.random.fork(options.kid === undefined ? kid : `${kid}/${index}`);
    const boot = `boot-${random.uint32()}`;
    const peer = new Peer({
      kid,
      boot,
      profile: 'adaptive',
      client: true,
      server: true,
      internet: true,
      broadcastResponses: false,
      roundTripInitialMs: 2.2,
      peering: true,
      copies: NO_COPIES,
      random,
      sha256,
      ...options,
    });
    const address = `10.${index >>> 16}.${(index >>> 8) & 255}.${index & 255}`;
    const node: SimNode = {
      peer,
      sender: { kid, name: kid, boot, address, port: 6515 },
      events: SILENT,
      armedFor: undefined,
      dead: false,
    };
    this.audience = undefined;
    this.nodes.push(node);
    this.byAddress.set(address, node);
    return node;
  }

  /** Performs what a call to a node's heart returned. */
  perform(node: SimNode, effects: readonly Effect[]): void {
    for (const effect of effects) this.performOne(node, effect);
    this.arm(node);
  }

  /** The node hears and does nothing any more. */
  kill(node: SimNode): void {
    node.dead = true;
    this.audience = undefined;
    this.nodes.splice(this.nodes.indexOf(node), 1);
    this.byAddress.delete(node.sender.address);
  }

  /** Runs something at a time to come. */
  at(time: number, run: () => void): void {
    this.heap.push(time, run);
  }

  /** Runs events until the time given, or until nothing is left, or until `done`. */
  run(untilMs: number, done: () => boolean = () => false): void {
    for (;;) {
      const at = this.heap.nextAt;
      if (at === undefined || at > untilMs || done()) break;
      this.now = at;
      this.heap.pop()?.();
    }
    if (!done()) this.now = Math.max(this.now, untilMs);
  }

  /** A hash of everything that was delivered, in order. */
  digest(): string {
    return this.transcript?.copy().digest('hex') ?? '';
  }

  private performOne(node: SimNode, effect: Effect): void {
    switch (effect.kind) {
      case 'broadcast':
        this.network.packets += 1;
        this.network.broadcasts += 1;
        this.broadcast(node, effect.message);
        break;
      case 'send': {
        this.network.packets += 1;
        const other = this.byAddress.get(effect.to);
        if (other !== undefined) this.send(node, other, effect.message);
        break;
      }
      case 'retrieve':
        node.events.retrieve(effect.want, effect.source);
        break;
      case 'settle':
        node.events.settle(effect.want, effect.ok);
        break;
      case 'fetch-policy':
      case 'deliver':
      case 'attend':
        break;
      case 'keep-epoch':
        node.events.keepEpoch?.(effect.epoch);
        break;
      case 'designate':
        node.events.designate?.(effect.designation);
        break;
    }
  }

  private send(from: SimNode, to: SimNode, message: Message): void {
    this.network.carry(from.sender.address, to.sender.address, false, (delayMs) => {
      this.at(this.now + delayMs, () => this.deliver(from, to, message));
    });
  }

  private broadcast(from: SimNode, message: Message): void {
    this.audience ??= [...this.nodes];
    const { audience, network } = this;
    const arrivals = new Arrivals(this.now, 2 * audience.length);
    let index = 0;
    const arrive = (delayMs: number) => arrivals.add(index, delayMs);
    for (const to of audience) {
      if (to !== from) network.carry(from.sender.address, to.sender.address, true, arrive);
      index += 1;
    }
    arrivals.sort();
    const next = () => {
      const to = audience[arrivals.take()];
      schedule();
      if (to !== undefined) this.deliver(from, to, message);
    };
    const schedule = () => {
      if (arrivals.nextAt !== undefined) this.at(arrivals.nextAt, next);
    };
    schedule();
  }

  private deliver(from: SimNode, to: SimNode, message: Message): void {
    if (to.dead) return;
    this.transcript?.update(`${this.now} ${from.sender.kid} ${to.sender.kid} ${message.type}\n`);
    this.perform(to, to.peer.receive(this.now, { from: from.sender, message }));
  }

  /** One pending wake-up per node at most, at the earliest time that its heart asks for. */
  private arm(node: SimNode): void {
    const at = node.peer.wakeAt;
    if (at === undefined) return;
    const { armedFor } = node;
    if (armedFor !== undefined && armedFor <= at && armedFor >= this.now) return;
    node.armedFor = at;
    this.at(Math.max(at, this.now), () => {
      if (node.armedFor === at) node.armedFor = undefined;
      if (!node.dead) this.perform(node, node.peer.wake(this.now));
    });
  }
}
