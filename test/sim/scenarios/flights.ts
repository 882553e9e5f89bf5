/**
 * Flights: a crowd wants the same absent URL at about the same moment. Counts downloads from the
 * Internet per resource (one is right), packets, and whether everybody got it; optionally the node
 * that downloads dies half-way, or the service has an elected provider. PROTOCOL §5.3, §5.4.
 */
import type { Copies } from '@peerage/core/protocol/context.js';
import type { Source } from '@peerage/core/protocol/effect.js';
import { USUAL_CRITERIA } from '@peerage/core/protocol/election-criteria.js';
import type { Copy } from '@peerage/core/protocol/message.js';
import { LAN } from '../network.js';
import { mean, quantile, round } from '../statistics.js';
import { type SimNode, World } from '../world.js';

export interface FlightsOptions {
  readonly nodes: number;
  /** The requests come within this time. */
  readonly spreadMs: number;
  readonly loss: number;
  readonly seeds: number;
  readonly firstSeed: number;
  /** The node that downloads first dies when it has half. */
  readonly kill: boolean;
  /** The service has an elected provider, which is one of those that want it. */
  readonly provider: boolean;
}

/** What one seed came to. */
export interface FlightsRun {
  readonly seed: number;
  readonly downloads: number;
  readonly packets: number;
  readonly overheadMs: number;
  readonly unserved: number;
}

export interface FlightsRow {
  readonly nodes: number;
  readonly spreadMs: number;
  readonly loss: number;
  readonly kill: boolean;
  readonly provider: boolean;
  readonly seeds: number;
  readonly downloadsMean: number;
  readonly downloadsWorst: number;
  readonly worstSeed: number;
  readonly packetsMean: number;
  /** From the last request until the last node has it, beyond the time of the download itself. */
  readonly overheadP50Ms: number;
  readonly overheadMaxMs: number;
  readonly unserved: number;
}

/** How long the Internet takes for the whole. */
const DOWNLOAD_MS = 1000;
const SIZE_BYTES = 1_000_000;
/** A relay passes a piece on after this time; a dead one is noticed after that. */
const HOP_MS = 2;
const NOTICE_MS = 20;
/** What went before the crowd is over by then, in milliseconds; at the latest all know the provider. */
const QUIET_MS = 10_000;
const AGREED_MS = 120_000;
const SERVICE = 'sim';
const HREF = 'http://origin.test/new';
const COPY: Copy = {
  alias: `/o/${'0'.repeat(64)}`,
  sizeBytes: SIZE_BYTES,
  sha256: '0'.repeat(64),
  attestation: `/a/${'0'.repeat(64)}`,
  fetchedAt: 0,
  expiresAt: 1,
};

/** One node's transfer: what the content shell would do, reduced to bytes over time. */
interface Transfer {
  readonly node: SimNode;
  want: number;
  /** Bytes at `since`, growing while `growing`. */
  bytes: number;
  since: number;
  growing: boolean;
  upstream: Transfer | undefined;
  /** Downloads from the Internet that it began; one that was given up for a better one ends. */
  begun: number;
  complete: boolean;
  dead: boolean;
}

class Crowd {
  private readonly world: World;
  private readonly options: FlightsOptions;
  private readonly transfers = new Map<string, Transfer>();
  private downloads = 0;
  private killed = false;
  private finishedAt = 0;

  constructor(options: FlightsOptions, seed: number) {
    this.options = options;
    this.world = new World({ seed, network: { ...LAN, loss: options.loss } });
    for (let i = 0; i < options.nodes; i += 1) this.addNode();
  }

  run(): Omit<FlightsRun, 'seed'> {
    const { world, options } = this;
    if (options.provider) this.elect();
    world.run(QUIET_MS);
    while (options.provider && !this.agreed && world.now < AGREED_MS) world.run(world.now + 100);
    const start = world.now;
    const before = world.network.packets;
    let last = start;
    for (const node of world.nodes) {
      const at = start + world.random.fraction() * options.spreadMs;
      last = Math.max(last, at);
      world.at(at, () => this.ask(node));
    }
    world.run(start + options.spreadMs + 60_000, () => this.everybodyServed());
    const alive = [...this.transfers.values()].filter(({ dead }) => !dead);
    return {
      downloads: this.downloads,
      packets: world.network.packets - before,
      overheadMs: this.finishedAt - last - DOWNLOAD_MS,
      unserved: alive.filter(({ complete }) => !complete).length,
    };
  }

  private addNode(): void {
    const { world, options } = this;
    const copies: Copies = {
      find: () => (this.transfers.get(node.sender.kid)?.complete === true ? COPY : undefined),
      downloading: () => this.progressOf(node),
    };
    const name = `node-${world.nodes.length}`;
    const elections = options.provider ? { elections: { name, epochs: new Map() } } : {};
    const node: SimNode = world.addNode({ copies, ...elections });
    const transfer: Transfer = {
      node,
      want: -1,
      bytes: 0,
      since: 0,
      growing: false,
      upstream: undefined,
      begun: 0,
      complete: false,
      dead: false,
    };
    this.transfers.set(node.sender.kid, transfer);
    node.peer.members.counted = true;
    const hello = {
      type: 'hello',
      client: true,
      server: true,
      internet: true,
      starting: false,
    } as const;
    const from = { kid: 'other', name: 'other', boot: 'b', address: '10.255.255.255', port: 1 };
    node.peer.members.heard(0, from, { ...hello, peers: options.nodes });
    node.events = {
      retrieve: (_want, source) => world.at(world.now, () => this.retrieve(transfer, source)),
      settle: () => undefined,
    };
  }

  /** All take part in the election of the service; it is over before the first one asks. */
  private elect(): void {
    const { world } = this;
    for (const node of world.nodes) {
      const effects = node.peer.elect((elections) => {
        elections.measured(world.now, { internet: 1, cpu: world.random.uint32() % 8 });
        elections.join(world.now, SERVICE, USUAL_CRITERIA);
      });
      world.perform(node, effects);
    }
  }

  /** Whether all know the same provider: with packets lost one may miss it for a heartbeat or two. */
  private get agreed(): boolean {
    const { nodes } = this.world;
    const kids = new Set(nodes.map(({ peer }) => peer.elections?.designated(SERVICE)));
    return kids.size === 1 && !kids.has(undefined);
  }

  private ask(node: SimNode): void {
    const want = {
      service: SERVICE,
      href: HREF,
      variant: '*',
      stale: false,
      waitMaxMs: Number.POSITIVE_INFINITY,
    };
    const { id, effects } = node.peer.want(this.world.now, want);
    const transfer = this.transfers.get(node.sender.kid);
    if (transfer !== undefined) transfer.want = id;
    this.world.perform(node, effects);
  }

  private progressOf(node: SimNode) {
    const transfer = this.transfers.get(node.sender.kid);
    if (transfer === undefined || transfer.complete || (transfer.bytes === 0 && !transfer.growing))
      return undefined;
    return {
      receivedBytes: Math.floor(this.bytesOf(transfer)),
      totalBytes: SIZE_BYTES,
      bytesPerSecond: SIZE_BYTES,
    };
  }

  private bytesOf(transfer: Transfer): number {
    if (transfer.complete) return SIZE_BYTES;
    if (!transfer.growing) return transfer.bytes;
    const grown = ((this.world.now - transfer.since) / DOWNLOAD_MS) * SIZE_BYTES;
    return Math.min(SIZE_BYTES, transfer.bytes + grown);
  }

  private retrieve(transfer: Transfer, source: Source): void {
    if (transfer.dead || transfer.complete) return;
    transfer.bytes = this.bytesOf(transfer);
    transfer.growing = false;
    transfer.begun += 1;
    if (source.kind === 'origin') return this.download(transfer);
    const upstream = this.transfers.get(source.kid);
    if (upstream === undefined || upstream.dead) return this.report(transfer, 'failed', source);
    transfer.upstream = upstream;
    if (source.kind === 'peer' || upstream.complete) return this.complete(transfer, HOP_MS);
    transfer.bytes = this.bytesOf(upstream);
    transfer.since = this.world.now;
    transfer.growing = upstream.growing;
  }

  private download(transfer: Transfer): void {
    this.downloads += 1;
    const { world, options } = this;
    transfer.upstream = undefined;
    transfer.growing = true;
    transfer.since = world.now;
    for (const follower of this.followersOf(transfer)) {
      follower.growing = true;
      follower.since = world.now;
    }
    const { begun } = transfer;
    const goesOn = () => transfer.begun === begun;
    const leftMs = (1 - transfer.bytes / SIZE_BYTES) * DOWNLOAD_MS;
    if (options.kill && !this.killed) {
      this.killed = true;
      world.at(world.now + leftMs / 2, () => this.die(transfer));
    } else {
      world.at(world.now + leftMs, () => {
        if (goesOn()) this.complete(transfer, 0);
      });
    }
  }

  private followersOf(transfer: Transfer): Transfer[] {
    return [...this.transfers.values()].filter(
      ({ upstream, complete, dead }) => upstream === transfer && !complete && !dead,
    );
  }

  private die(transfer: Transfer): void {
    const { world } = this;
    const followers = this.followersOf(transfer);
    transfer.dead = true;
    world.network.isolate(transfer.node.sender.address, 1);
    for (const follower of followers) {
      follower.bytes = this.bytesOf(follower) * (0.95 + 0.05 * world.random.fraction());
      follower.growing = false;
      follower.upstream = undefined;
      world.at(world.now + NOTICE_MS * world.random.fraction(), () =>
        this.report(follower, 'failed'),
      );
    }
  }

  private complete(transfer: Transfer, afterMs: number): void {
    this.world.at(this.world.now + afterMs, () => {
      if (transfer.dead || transfer.complete) return;
      const followers = this.followersOf(transfer);
      transfer.complete = true;
      this.finishedAt = this.world.now;
      this.report(transfer, 'ok');
      for (const follower of followers) this.complete(follower, HOP_MS);
    });
  }

  private report(transfer: Transfer, result: 'ok' | 'failed', source?: Source): void {
    if (transfer.dead) return;
    const failed = source === undefined || source.kind === 'origin' ? undefined : source;
    this.world.perform(
      transfer.node,
      transfer.node.peer.retrieved(this.world.now, transfer.want, result, failed),
    );
  }

  private everybodyServed(): boolean {
    for (const { complete, dead } of this.transfers.values()) {
      if (!complete && !dead) return false;
    }
    return true;
  }
}

/** Runs one cell of the table over its seeds. */
export function flightRuns(options: FlightsOptions): FlightsRun[] {
  return Array.from({ length: options.seeds }, (_, index) => {
    const seed = options.firstSeed + index;
    return { seed, ...new Crowd(options, seed).run() };
  });
}

/** The row of a cell, of the runs of all its seeds. */
export function flightsRow(options: FlightsOptions, runs: readonly FlightsRun[]): FlightsRow {
  const worst = runs.reduce((most, run) => (run.downloads > most.downloads ? run : most));
  const overheads = runs.map(({ overheadMs }) => overheadMs);
  const { nodes, spreadMs, loss, kill, provider } = options;
  return {
    ...{ nodes, spreadMs, loss, kill, provider },
    seeds: runs.length,
    downloadsMean: round(mean(runs.map(({ downloads }) => downloads)), 4),
    downloadsWorst: worst.downloads,
    worstSeed: worst.seed,
    packetsMean: round(mean(runs.map(({ packets }) => packets)), 1),
    overheadP50Ms: round(quantile(overheads, 0.5), 1),
    overheadMaxMs: round(Math.max(...overheads), 1),
    unserved: runs.reduce((sum, { unserved }) => sum + unserved, 0),
  };
}
