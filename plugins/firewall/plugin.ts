/**
 * The firewall rules updater: block lists fetched once per LAN, judged on every machine, in force.
 *
 * This file only wires. Flow: sources.ts (what is new, by the update agent) ─► list-feed.ts (judge)
 * ─► enforcer.ts (compile, check, put, probe, confirm) ─► targets. At a start the last good lists
 * are in force before the network is asked anything.
 */
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { isAbsolute, join } from 'node:path';
import {
  CommandService,
  describeError,
  ElectionService,
  errorCode,
  injectable,
  PeeringService,
  Plugin,
  PluginContext,
  ProgramService,
  Schedule,
  StatusService,
  Storage,
} from '@peerage/sdk';
import type { Failure } from '@peerage/update-agent';
import { Commands } from './commands.js';
import { replaceFile } from './disk.js';
import { Enforcer } from './enforcer.js';
import { FileTarget } from './file-target.js';
import { type Guard, guardsFrom } from './guards.js';
import { peerAddresses, readNetwork } from './network.js';
import { wholeTable } from './nftables.js';
import { NftablesTarget } from './nftables-target.js';
import { Probe } from './probe.js';
import { type FirewallSettings, intervalMs, judgeSources } from './settings.js';
import { Hub, lastGood, openSource, type Source, type SourcePorts } from './sources.js';
import { SuricataTarget } from './suricata/target.js';
import type { Target } from './target.js';
import { Wishes } from './wishes.js';

/** How often guards and kernel are looked at, in milliseconds: a DHCP lease, a flushed table. */
const REFRESH_MS = 30_000;
/** An election is over by then; until then a node that starts waits for its outcome. */
const ELECTION_MS = 30_000;
/** A further check a while after the start: a machine that boots may have no network yet. */
const AFTER_START_MS = 300_000;

@injectable()
export default class FirewallPlugin extends Plugin {
  readonly sources: Source[] = [];
  private readonly context: PluginContext<FirewallSettings>;
  private readonly peering: PeeringService;
  private readonly election: ElectionService;
  private readonly programs: ProgramService;
  private readonly status: StatusService;
  private readonly storage: Storage;
  private readonly schedule: Schedule;
  private readonly commands: CommandService;
  private readonly wishes: Wishes;
  private readonly nftables: NftablesTarget | undefined;
  private readonly enforcer: Enforcer;
  private readonly electedByMs = Date.now() + ELECTION_MS;
  private hasElections = true;
  private provider: string | undefined;

  constructor(
    context: PluginContext<FirewallSettings>,
    peering: PeeringService,
    election: ElectionService,
    programs: ProgramService,
    status: StatusService,
    storage: Storage,
    schedule: Schedule,
    commands: CommandService,
  ) {
    super();
    this.context = context;
    this.peering = peering;
    this.election = election;
    this.programs = programs;
    this.status = status;
    this.storage = storage;
    this.schedule = schedule;
    this.commands = commands;
    this.wishes = new Wishes(storage);
    const { settings, dataDirectory: directory } = context;
    const { enabled, directions } = settings.nftables;
    this.nftables = enabled ? new NftablesTarget({ programs, directory, directions }) : undefined;
    this.enforcer = this.makeEnforcer();
  }

  override async activate(): Promise<void> {
    const { settings, subscriptions, dataDirectory } = this.context;
    judgeSources(settings);
    await mkdir(dataDirectory, { recursive: true });
    await this.wishes.open();
    const hub = new Hub(this.peering);
    const ports = this.sourcePorts(hub);
    for (const one of settings.sources) this.sources.push(await openSource(one, ports));
    await this.restore();
    subscriptions.push(await hub.start());
    for (const { agent } of this.sources) subscriptions.push(await agent.start());
    await this.follow();
    this.plan();
    await this.command().register(this.commands, subscriptions);
  }

  private makeEnforcer(): Enforcer {
    const { settings, dataDirectory, log } = this.context;
    const { programs } = this;
    const { file } = settings;
    const targets: Target[] = this.nftables === undefined ? [] : [this.nftables];
    if (file !== undefined) {
      const path = isAbsolute(file.path) ? file.path : join(dataDirectory, file.path);
      const attribution = () => this.attribution();
      targets.push(new FileTarget({ path, command: file.command, programs, attribution }));
    }
    const { connect, peerPort, confirmSeconds } = settings.probe;
    const peers = async () =>
      (await peerAddresses(this.status)).map((host) => ({ host, port: peerPort }));
    return new Enforcer({
      targets,
      guards: () => this.guards(),
      probe: new Probe({ required: connect, peers, confirmMs: confirmSeconds * 1000 }),
      keep: (blocks) => {
        const text = wholeTable(blocks, settings.nftables.directions);
        return replaceFile(join(dataDirectory, 'last-good.nft'), text);
      },
      log,
    });
  }

  private sourcePorts(hub: Hub): SourcePorts {
    const { settings, dataDirectory, log } = this.context;
    const { suricata } = settings;
    return {
      directory: dataDirectory,
      node: hostname(),
      lan: hub,
      role: () => this.role(),
      cutOff: (failure) => this.giveAway(failure),
      believes: (node) => !this.hasElections || node === this.provider,
      pins: () => this.wishes.pins,
      peering: this.peering,
      storage: this.storage,
      now: Date.now,
      enforcer: this.enforcer,
      guards: () => this.guards(),
      suricata:
        suricata === undefined
          ? undefined
          : new SuricataTarget({ programs: this.programs, path: suricata.path, log }),
      minRules: suricata?.minRules ?? 1,
      log,
    };
  }

  /** What was in force last, before anything is asked of the network. */
  private async restore(): Promise<void> {
    const lists = await Promise.all(this.sources.map((one) => lastGood(one, this.context.log)));
    try {
      await this.enforcer.start(lists.flatMap((list) => list ?? []));
    } catch (error) {
      // Without nft, or without the grant: the status says so, and every refresh tries again.
      this.context.log.error('not-in-force', { error: describeError(error) });
    }
  }

  private plan(): void {
    const { subscriptions } = this.context;
    for (const source of this.sources) {
      const { settings } = source;
      const pauseMs = intervalMs(settings);
      const run = async () => void (await source.agent.check('time'));
      subscriptions.push(
        this.schedule.plan({
          name: `check ${settings.name}`,
          run,
          atStart: [{ delayMs: 0 }, { delayMs: ELECTION_MS }, { delayMs: AFTER_START_MS }],
          afterSuccessMs: pauseMs,
          afterFailureMs: pauseMs,
          jitterShare: 0.1,
        }),
      );
    }
    subscriptions.push(
      this.schedule.plan({
        name: 'refresh',
        run: () => this.enforcer.refresh(),
        atStart: [{ delayMs: REFRESH_MS }],
        afterSuccessMs: REFRESH_MS,
        afterFailureMs: REFRESH_MS,
      }),
    );
  }

  /** A provider that cannot reach an origin gives its office to a node that may. */
  private async giveAway(failure: Failure): Promise<void> {
    if (!this.hasElections) return;
    const provider = await this.election.provider();
    if (provider?.isSelf !== true) return;
    this.context.log.warn('office-given-away', { ...failure });
    await this.election.resign();
  }

  private command(): Commands {
    const { enforcer, sources, wishes, nftables } = this;
    return new Commands({
      enforcer,
      sources,
      wishes,
      programs: this.programs,
      provider: async () => (await this.election.provider())?.node,
      dropped: async () => nftables?.dropped(),
      now: Date.now,
    });
  }

  /** Who asks the origins: the provider; whoever wants to know where there is none. */
  private async role(): Promise<'poll' | 'listen'> {
    if (!this.hasElections) return 'poll';
    const provider = await this.election.provider();
    if (provider !== undefined) return provider.isSelf ? 'poll' : 'listen';
    return Date.now() < this.electedByMs ? 'listen' : 'poll';
  }

  /** A provider that has just been found is asked, or asks, at once. */
  private async follow(): Promise<void> {
    try {
      const following = await this.election.onChange(({ provider }) => {
        this.provider = provider?.node;
        if (provider === undefined) return;
        for (const source of this.sources) void source.agent.check('provider');
      });
      this.context.subscriptions.push(following);
      this.provider ??= (await this.election.provider())?.node;
    } catch (error) {
      if (!/^E_(NOT_AVAILABLE|ELECTION_NONE)$/.test(errorCode(error))) throw error;
      this.hasElections = false;
    }
  }

  private async guards(): Promise<readonly Guard[]> {
    const { programs, status, wishes } = this;
    const { sshPorts, allow } = this.context.settings;
    const allowed = () => [...allow, ...wishes.allowed];
    return guardsFrom(await readNetwork({ programs, status, sshPorts, allowed }));
  }

  private attribution(): readonly string[] {
    return this.sources.flatMap(({ settings, list }) => [
      `${settings.name}: ${settings.url}`,
      ...(list?.attribution ?? []).map((line) => `  ${line}`),
    ]);
  }
}
