/**
 * What the election scenarios share: nodes with a standing each, and a count of who takes whom for
 * the provider, kept up to date by every designation so that a checker after every event is cheap.
 */
import type { Designation } from '@peerage/core/protocol/effect.js';
import type { Election } from '@peerage/core/protocol/election.js';
import { USUAL_CRITERIA } from '@peerage/core/protocol/election-criteria.js';
import { LAN } from '../network.js';
import { type SimNode, World } from '../world.js';

export const SERVICE = 'sim';

export interface BallotOptions {
  readonly nodes: number;
  readonly loss: number;
  readonly profile: 'adaptive' | 'classic';
  readonly seed: number;
  /** `classes`: nodes differ in their class alone; `fine`: in several levels; `equal`: in none. */
  readonly standing: 'classes' | 'fine' | 'equal';
}

/** One node and what it thinks. */
export interface Voter {
  readonly name: string;
  /** Another one after each restart. */
  node: SimNode;
  /** What survives a restart. */
  epoch: number;
  provider: string | undefined;
  alive: boolean;
}

const HELLO = {
  type: 'hello',
  client: true,
  server: true,
  internet: true,
  starting: false,
} as const;

export class Ballot {
  readonly world: World;
  readonly voters: Voter[] = [];
  /** Who provides, by his own word. */
  readonly providers = new Set<Voter>();
  /** How many living nodes take this name for the provider; '' for nobody. */
  readonly votes = new Map<string, number>();
  living = 0;
  /** Earlier runs of nodes that died, for the counts. */
  private readonly retired: SimNode[] = [];
  private readonly options: BallotOptions;
  onChange: (voter: Voter) => void = () => undefined;

  constructor(options: BallotOptions) {
    this.options = options;
    const { seed, loss } = options;
    this.world = new World({ seed, network: { ...LAN, loss } });
    for (let i = 0; i < options.nodes; i += 1) this.addVoter();
  }

  /** The node begins to take part. */
  boot(voter: Voter): void {
    const { world } = this;
    const { peer } = voter.node;
    peer.members.counted = true;
    const from = { kid: 'other', name: 'other', boot: 'b', address: '10.255.255.255', port: 1 };
    peer.members.heard(world.now, from, { ...HELLO, peers: this.options.nodes });
    voter.alive = true;
    this.living += 1;
    this.votes.set('', (this.votes.get('') ?? 0) + 1);
    const effects = peer.elect((elections) => {
      elections.asked(world.now);
      elections.measured(world.now, this.standing());
      elections.join(world.now, SERVICE, USUAL_CRITERIA);
    });
    world.perform(voter.node, effects);
  }

  /** The node is gone without a word. */
  die(voter: Voter): void {
    voter.alive = false;
    this.living -= 1;
    this.votes.set(voter.provider ?? '', (this.votes.get(voter.provider ?? '') ?? 0) - 1);
    this.providers.delete(voter);
    this.retired.push(voter.node);
    this.world.kill(voter.node);
  }

  /** Keeps the quick pace, as if something were asked all the time. */
  ask(): void {
    for (const { node, alive } of this.voters) {
      if (!alive) continue;
      this.world.perform(
        node,
        node.peer.elect((elections) => elections.asked(this.world.now)),
      );
    }
  }

  /** Whether everybody alive takes the one node that provides for the provider. */
  get agreed(): boolean {
    if (this.providers.size !== 1) return false;
    const [provider] = this.providers;
    return this.votes.get(provider?.name ?? '') === this.living;
  }

  election(voter: Voter): Election | undefined {
    return voter.node.peer.elections?.get(SERVICE);
  }

  /** The living node that wins by all levels. */
  best(): Voter | undefined {
    let best: Voter | undefined;
    for (const voter of this.voters) {
      if (!voter.alive) continue;
      const own = this.election(voter);
      const other = best === undefined ? undefined : this.election(best);
      if (own === undefined) continue;
      if (other === undefined || own.standings.beats(other.standings.own)) best = voter;
    }
    return best;
  }

  counted(name: string): number {
    const nodes = [...this.retired, ...this.voters.map(({ node }) => node)];
    return nodes.reduce((sum, { peer }) => sum + peer.counters.get(name), 0);
  }

  /** A node that died starts again, under its old name and with the epoch that it kept. */
  revive(voter: Voter): void {
    voter.node = this.makeNode(voter.name, voter);
    voter.provider = undefined;
    this.boot(voter);
  }

  private addVoter(): void {
    const name = `node-${this.voters.length}`;
    const voter: Partial<Voter> = { name, epoch: 0, provider: undefined, alive: false };
    voter.node = this.makeNode(name, voter as Voter);
    this.voters.push(voter as Voter);
  }

  private makeNode(name: string, voter: Voter): SimNode {
    const { profile } = this.options;
    const elections = { name, epochs: new Map([[SERVICE, voter.epoch]]) };
    const again = voter.node === undefined ? {} : { kid: name };
    const node = this.world.addNode({ profile, elections, ...again });
    node.events = {
      ...node.events,
      designate: (designation: Designation) => this.vote(voter, designation.provider),
      keepEpoch: (epoch) => {
        if (epoch < voter.epoch) throw new Error(`the epoch of ${name} shrank`);
        voter.epoch = epoch;
      },
    };
    return node;
  }

  private vote(voter: Voter, provider: string | undefined): void {
    if (!voter.alive) return;
    const { votes } = this;
    const before = voter.provider ?? '';
    votes.set(before, (votes.get(before) ?? 0) - 1);
    voter.provider = provider;
    votes.set(provider ?? '', (votes.get(provider ?? '') ?? 0) + 1);
    if (provider === voter.name) this.providers.add(voter);
    else this.providers.delete(voter);
    this.onChange(voter);
  }

  private standing(): Record<string, number> {
    const { random } = this.world;
    const { standing } = this.options;
    if (standing === 'equal') return { internet: 1 };
    const internet = random.fraction() < 0.75 ? 1 : 0;
    if (standing === 'classes') return { internet, bandwidth: random.fraction() < 0.5 ? 3 : 0 };
    return {
      internet,
      bandwidth: random.uint32() % 8,
      wired: random.uint32() % 2,
      os: random.uint32() % 3,
      cpu: random.uint32() % 8,
    };
  }
}
