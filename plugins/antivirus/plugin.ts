/**
 * The anti-virus updater: one update agent for ClamAV and one for each product feed.
 *
 * This file only wires. What a check does: @peerage/update-agent; what is ClamAV's: clamav/feed.ts
 * (what is newest, what is genuine, what puts it in force) and clamav/mirror.ts (what a stock
 * freshclam of this machine is given); what is a product feed's: product/feed.ts.
 */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CodedError,
  CommandService,
  ElectionService,
  type ElectionState,
  errorCode,
  injectable,
  PeeringService,
  Plugin,
  PluginContext,
  ProgramService,
  Schedule,
} from '@peerage/sdk';
import {
  checkJobs,
  demandName,
  type Failure,
  type Feed,
  type Recall,
  type Role,
  Shelf,
  UpdateAgent,
} from '@peerage/update-agent';
import { assembleClamav } from './clamav/assemble.js';
import { addCommands } from './commands.js';
import { ProductFeed } from './product/feed.js';
import { RuleBook } from './rules.js';
import type { AntivirusSettings, ProductSettings } from './settings.js';
import { type StatusReport, statusOf } from './status.js';

interface Running {
  readonly feed: Feed;
  readonly shelf: Shelf;
  readonly agent: UpdateAgent;
}

@injectable()
export default class AntivirusPlugin extends Plugin {
  /** Where the mirror for freshclam listens, once it does. */
  mirrorPort: number | undefined;
  readonly running: Running[] = [];
  private readonly rules: RuleBook;
  private readonly peering: PeeringService;
  private readonly election: ElectionService;
  private readonly schedule: Schedule;
  private readonly programs: ProgramService;
  private readonly commands: CommandService;
  private readonly context: PluginContext<AntivirusSettings>;

  constructor(
    peering: PeeringService,
    election: ElectionService,
    schedule: Schedule,
    programs: ProgramService,
    commands: CommandService,
    context: PluginContext<AntivirusSettings>,
  ) {
    super();
    this.peering = peering;
    this.election = election;
    this.schedule = schedule;
    this.programs = programs;
    this.commands = commands;
    this.context = context;
    const { dataDirectory, settings, log } = context;
    this.rules = new RuleBook(dataDirectory, settings.rules, peering, log);
  }

  override async activate(): Promise<void> {
    const { settings, subscriptions } = this.context;
    await this.rules.load();
    if (settings.clamav.databases.length > 0) await this.addClamav();
    for (const product of settings.products) await this.addProduct(product);
    subscriptions.push(await this.rules.listen(() => this.checkAll('recall')));
    await this.followElection();
    const agents = this.running.map(({ agent }) => agent);
    const status = () => this.status();
    const { databases } = settings.clamav;
    const ports = { commands: this.commands, agents, rules: this.rules, databases, status };
    subscriptions.push(...(await addCommands(ports)));
  }

  /** What is known of all feeds. */
  status(): StatusReport {
    const views = this.running.map(({ feed, shelf, agent }) => ({
      feed: feed.name,
      components: shelf.components().map((component) => ({ component, ...shelf.state(component) })),
      reports: agent.reports,
      standings: [...agent.news.standings.values()],
    }));
    return statusOf(views, this.rules.rules(), Date.now());
  }

  private async addClamav(): Promise<void> {
    const { settings, dataDirectory, log, subscriptions } = this.context;
    const { peering, programs } = this;
    const directory = join(dataDirectory, 'clamav');
    const ports = { directory, peering, programs, log, now: Date.now };
    const { feed, shelf, mirror } = await assembleClamav(settings.clamav, ports);
    subscriptions.push(mirror);
    this.mirrorPort = mirror.port;
    log.info('mirror', { address: settings.clamav.listen.address, port: mirror.port });
    await this.run(feed, shelf);
  }

  private async addProduct(product: ProductSettings): Promise<void> {
    const { dataDirectory, log } = this.context;
    const { peering, programs } = this;
    const directory = join(dataDirectory, 'products', demandName('feed', product.name));
    const shelf = await Shelf.open(join(directory, 'versions'));
    const feed = new ProductFeed(product, { directory, shelf, peering, programs, log });
    await feed.recover();
    await this.run(feed, shelf, () => feed.recalls);
  }

  private async run(
    feed: Feed,
    shelf: Shelf,
    recalls: () => readonly Recall[] = () => [],
  ): Promise<void> {
    const { settings, log, subscriptions } = this.context;
    const agent = new UpdateAgent(feed, {
      ...{ node: await this.nodeId(), shelf, peering: this.peering, lan: this.peering, log },
      role: () => this.role(),
      cutOff: (failure) => this.giveAway(feed, failure),
      rules: () => {
        const rules = this.rules.rules();
        return { ...rules, recalls: [...rules.recalls, ...recalls()] };
      },
      now: Date.now,
    });
    this.running.push({ feed, shelf, agent });
    subscriptions.push(await agent.start());
    for (const job of checkJobs(feed.name, settings.times, new Date())) {
      const run = async () => {
        const { failure, components } = await agent.check('time');
        const failed = failure ?? components.find((one) => one.failure !== undefined)?.failure;
        if (failed !== undefined) throw new CodedError(failed.code, failed.message);
      };
      subscriptions.push(this.schedule.plan({ ...job, run }));
    }
  }

  /** Who is provider, or has none, asks the Internet; the others go by its news. */
  private async role(): Promise<Role> {
    const provider = await this.election.provider().catch(withoutElection);
    if (provider === undefined) return 'poll';
    return provider.isSelf ? 'provide' : 'listen';
  }

  /** A provider that cannot reach an origin gives its office to a node that may. */
  private async giveAway({ name }: Feed, failure: Failure): Promise<void> {
    const provider = await this.election.provider().catch(withoutElection);
    if (provider?.isSelf !== true) return;
    this.context.log.warn('office-given-away', { feed: name, ...failure });
    await this.election.resign();
  }

  /** A node that has just become the provider finds out what its predecessor may have missed. */
  private async followElection(): Promise<void> {
    let was: boolean | undefined;
    const look = ({ provider }: ElectionState) => {
      const isSelf = provider?.isSelf ?? false;
      if (was === false && isSelf) this.checkAll('elected');
      was = isSelf;
    };
    const following = await this.election.onChange(look).catch(withoutElection);
    if (following !== undefined) this.context.subscriptions.push(following);
  }

  private checkAll(reason: string): void {
    for (const { agent } of this.running) void agent.check(reason);
  }

  /** A name of this node's own for the order of the canary share; it means nothing to others. */
  private async nodeId(): Promise<string> {
    const path = join(this.context.dataDirectory, 'node-id');
    const known = await readFile(path, 'utf8').catch((error: unknown) => {
      if (errorCode(error) !== 'ENOENT') throw error;
      return undefined;
    });
    if (known !== undefined) return known;
    const fresh = randomBytes(16).toString('hex');
    await writeFile(path, fresh);
    return fresh;
  }
}

/** A node that takes part in no election has no provider, and asks for itself. */
function withoutElection(error: unknown): undefined {
  if (!['E_NOT_AVAILABLE', 'E_ELECTION_NONE'].includes(errorCode(error))) throw error;
}
