/**
 * Discovery: one client asks N peers, k of which hold the resource. Prints responses per request,
 * packets, the time to a hit and to a miss, false misses, and how evenly holders are chosen.
 * Model and table to compare with: one-way delay uniform 0.2 to 2 ms, loss per packet and receiver.
 */
import type { Copies, Profile } from '@peerage/core/protocol/context.js';
import type { Copy } from '@peerage/core/protocol/message.js';
import { LAN, WIFI } from '../network.js';
import { mean, quantile, round } from '../statistics.js';
import { type SimNode, World } from '../world.js';

export interface DiscoveryOptions {
  readonly peers: number;
  readonly holders: number;
  readonly loss: number;
  readonly profile: Profile;
  readonly trials: number;
  readonly seed: number;
  /** The client has overheard a holder before. */
  readonly hinted: boolean;
  readonly transcript?: boolean;
  /** The stress model of Wi-Fi instead of the wired LAN. */
  readonly wifi?: boolean;
}

export interface DiscoveryRow {
  readonly profile: Profile;
  readonly peers: number;
  readonly holders: number;
  readonly loss: number;
  readonly hinted: boolean;
  readonly trials: number;
  readonly responsesPerRequest: number;
  readonly packetsPerRequest: number;
  readonly hitP50Ms: number;
  readonly hitP99Ms: number;
  readonly missMs: number;
  readonly falseMisses: number;
  /** Requests served by the busiest holder over the mean, where all hold it and enough came. */
  readonly busiestOverMean: number | null;
  readonly seed: number;
  readonly digest: string;
}

/** Time between two trials: every instance of the last one is over by then. */
const TRIAL_GAP_MS = 6000;

/** What the client has measured before: the mean round trip of each model. */
const LAN_ROUND_TRIP_MS = 2.2;
const WIFI_ROUND_TRIP_MS = 12;
/** Requests for each holder from which on it means something how evenly they are spread. */
const SPREAD_REQUESTS_MIN = 10;

const COPY: Copy = {
  alias: `/o/${'0'.repeat(64)}`,
  sizeBytes: 1,
  sha256: '0'.repeat(64),
  attestation: `/a/${'0'.repeat(64)}`,
  fetchedAt: 0,
  expiresAt: 1,
};

interface Tally {
  readonly hits: number[];
  readonly misses: number[];
  readonly chosen: Map<string, number>;
  falseMisses: number;
  answered: boolean;
}

class Discovery {
  private readonly world: World;
  private readonly options: DiscoveryOptions;
  private readonly client: SimNode;
  private readonly others: SimNode[] = [];
  private holders = new Set<SimNode>();
  private readonly tally: Tally = {
    hits: [],
    misses: [],
    chosen: new Map(),
    falseMisses: 0,
    answered: false,
  };

  constructor(options: DiscoveryOptions) {
    this.options = options;
    const transcript = options.transcript === true;
    this.world = new World({
      seed: options.seed,
      network: { ...(options.wifi === true ? WIFI : LAN), loss: options.loss },
      transcript,
    });
    const roundTripInitialMs = options.wifi === true ? WIFI_ROUND_TRIP_MS : LAN_ROUND_TRIP_MS;
    this.client = this.world.addNode({ profile: options.profile, roundTripInitialMs });
    for (let i = 0; i < options.peers; i += 1) {
      const node: SimNode = this.world.addNode({ copies: this.copiesOf(() => node) });
      this.others.push(node);
    }
    this.knowEachOther();
  }

  run(): DiscoveryRow {
    const { options, world, tally } = this;
    const before = world.network.packets;
    for (let trial = 0; trial < options.trials; trial += 1) this.trial(trial, true);
    const packets = world.network.packets - before;
    const responses = this.others.reduce(
      (sum, { peer }) => sum + peer.counters.get('responses-sent'),
      0,
    );
    for (let trial = 0; trial < Math.min(50, options.trials); trial += 1) this.trial(trial, false);
    const isSpread = tally.hits.length >= SPREAD_REQUESTS_MIN * options.holders;
    const everywhere = options.holders === options.peers && isSpread;
    const served = [...tally.chosen.values()];
    return {
      profile: options.profile,
      peers: options.peers,
      holders: options.holders,
      loss: options.loss,
      hinted: options.hinted,
      trials: options.trials,
      responsesPerRequest: round(responses / options.trials),
      packetsPerRequest: round(packets / options.trials),
      hitP50Ms: round(quantile(tally.hits, 0.5)),
      hitP99Ms: round(quantile(tally.hits, 0.99)),
      missMs: round(mean(tally.misses)),
      falseMisses: round(tally.falseMisses / options.trials, 4),
      busiestOverMean: everywhere
        ? round(Math.max(0, ...served) / (tally.hits.length / options.holders))
        : null,
      seed: options.seed,
      digest: world.digest().slice(0, 16),
    };
  }

  private copiesOf(self: () => SimNode): Copies {
    return {
      find: () => (this.holders.has(self()) ? COPY : undefined),
      downloading: () => undefined,
    };
  }

  /** The client has counted its peers; everybody has heard of the client. */
  private knowEachOther(): void {
    const { client, others, options } = this;
    const hello = {
      type: 'hello',
      client: true,
      server: true,
      internet: true,
      starting: false,
    } as const;
    client.peer.members.counted = true;
    for (const { sender } of others.slice(0, 512)) {
      client.peer.members.heard(0, sender, { ...hello, peers: options.peers });
    }
  }

  private trial(number: number, held: boolean): void {
    const { world, client, options, tally } = this;
    const start = (Math.floor(world.now / TRIAL_GAP_MS) + 1) * TRIAL_GAP_MS;
    world.run(start);
    this.holders = new Set(held ? this.pickHolders() : []);
    const href = `http://origin.test/${held ? 'held' : 'missing'}/${number}`;
    const [first] = this.holders;
    if (options.hinted && first !== undefined) this.hint(first, href);
    tally.answered = false;
    client.events = {
      retrieve: (want, source) => {
        const elapsed = world.now - start;
        if (source.kind === 'peer') {
          tally.hits.push(elapsed);
          tally.chosen.set(source.kid, (tally.chosen.get(source.kid) ?? 0) + 1);
        } else if (held) tally.falseMisses += 1;
        else tally.misses.push(elapsed);
        tally.answered = true;
        world.at(world.now + 1, () =>
          world.perform(client, client.peer.retrieved(world.now, want, 'ok')),
        );
      },
      settle: () => undefined,
    };
    const want = { service: 'sim', href, variant: '*', stale: false, waitMaxMs: 0 };
    world.perform(client, client.peer.want(start, want).effects);
    world.run(start + TRIAL_GAP_MS - 1);
  }

  private pickHolders(): SimNode[] {
    const { others, options, world } = this;
    if (options.holders >= others.length) return others;
    const first = world.random.uint32() % others.length;
    return Array.from({ length: options.holders }, (_, i) => {
      const step = Math.floor((i * others.length) / options.holders);
      return others[(first + step) % others.length];
    }).filter((node) => node !== undefined);
  }

  /** The client overhears "I need" of a node that will hold it. */
  private hint(holder: SimNode, href: string): void {
    const message = {
      type: 'request',
      service: 'sim',
      id: 1,
      href,
      variant: '*',
      cachedOnly: true,
      stale: false,
      internet: true,
      delay: { distribution: 'exponential', windowMs: 5, peers: 1 },
      nonce: 'A'.repeat(22),
    } as const;
    const { client, world } = this;
    world.perform(client, client.peer.receive(world.now, { from: holder.sender, message }));
  }
}

/** Runs one cell of the table. */
export function discovery(options: DiscoveryOptions): DiscoveryRow {
  return new Discovery(options).run();
}
