/**
 * One enabled plugin: its package, its grant, its commands, its process, and what starts it. Made
 * anew whenever its entry in plugins.json or its package changes.
 */
import { join } from 'node:path';
import { describeError, errorCode } from '@peerage/sdk';
import type { Clock } from '../base/time.js';
import type { LanElections } from '../ports/elections.js';
import type { Lender } from '../ports/leases.js';
import type { Logger } from '../ports/log.js';
import type { CallTable } from './calls/call.js';
import { badCall } from './calls/call.js';
import { PluginCommands } from './calls/commands.js';
import { electionOf, electionService } from './calls/election.js';
import { PluginLeases } from './calls/leases.js';
import { Grant } from './grant.js';
import type { HandedSocket } from './handed-socket.js';
import type { PluginPackage } from './manifest.js';
import { type IncomingCall, PluginProcess, type PluginTimes } from './plugin-process.js';

/** What all plugins of a host share. */
export interface HostedOptions {
  readonly stateDirectory: string;
  readonly ticketSocket: string;
  readonly sockets?: readonly HandedSocket[] | undefined;
  readonly coreVersion: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly times?: PluginTimes | undefined;
  readonly calls: CallTable;
  readonly elections?: LanElections | undefined;
  readonly lender?: Lender | undefined;
}

export class Hosted {
  readonly plugin: PluginPackage;
  readonly grant: Grant;
  readonly commands: PluginCommands;
  readonly leases: PluginLeases | undefined;
  readonly process: PluginProcess;
  private readonly options: HostedOptions;
  private readonly dataDirectory: string;
  private readonly endings: Array<{ dispose(): void }> = [];

  /** @param readPaths directories that its code is read from */
  constructor(plugin: PluginPackage, readPaths: readonly string[], options: HostedOptions) {
    this.plugin = plugin;
    this.options = options;
    const { manifest, entry } = plugin;
    this.grant = new Grant(manifest, entry.grant);
    this.commands = new PluginCommands(manifest.commands ?? []);
    this.dataDirectory = join(options.stateDirectory, 'plugins', manifest.id);
    const { lender } = options;
    // A process of another user could not read the store's files.
    const lends = lender !== undefined && entry.grant.uid === undefined;
    this.leases = lends ? new PluginLeases(lender, this.dataDirectory) : undefined;
    const { ticketSocket, coreVersion, clock, logger, times, sockets = [] } = options;
    this.process = new PluginProcess({
      plugin,
      grant: this.grant,
      readPaths,
      dataDirectory: this.dataDirectory,
      ticketSocket,
      sockets,
      coreVersion,
      clock,
      logger,
      times,
      handle: (call) => this.handle(call),
    });
  }

  get id(): string {
    return this.plugin.manifest.id;
  }

  /** Whether its process is started when this happens. */
  waitsFor(event: PluginPackage['manifest']['activation'][number]): boolean {
    return this.plugin.manifest.activation.includes(event);
  }

  get startsWithCore(): boolean {
    return this.waitsFor('start') || this.waitsFor('schedule');
  }

  /** Starts it with the core, if it wants that, and joins its election; what fails is logged. */
  async begin(): Promise<void> {
    if (this.startsWithCore) await this.tryStart();
    this.join();
  }

  /** Stands for its election, and waits to be elected if it is started by that. */
  join(): void {
    const { elections } = this.options;
    const service = electionService(this.plugin.manifest);
    if (elections === undefined || service === undefined) return;
    const { criteria } = electionOf(this.plugin.manifest);
    this.endings.push(elections.join(service, criteria === undefined ? {} : { criteria }));
    if (!this.waitsFor('elected')) return;
    const look = () => {
      if (elections.state(service).provider?.isSelf === true) this.startSoon();
    };
    this.endings.push(elections.onChange(service, look));
    look();
  }

  /** @throws CodedError when it refuses */
  async start(): Promise<void> {
    await this.process.ensure();
  }

  /** Starts it if it is idle; what fails is logged, as nobody waits for it. */
  startSoon(): void {
    if (this.process.status().state === 'idle') void this.tryStart();
  }

  /** Starts it and logs how that went. */
  async tryStart(): Promise<void> {
    const { logger } = this.options;
    const fields = { plugin: this.id, version: this.plugin.version };
    try {
      await this.process.ensure();
      logger.log('info', 'plugin-active', fields);
    } catch (error) {
      const { plugin } = fields;
      const code = errorCode(error);
      logger.log('error', 'plugin-failed', { plugin, code, error: describeError(error) });
    }
  }

  async stop(): Promise<void> {
    for (const ending of this.endings.splice(0).reverse()) ending.dispose();
    await this.process.stop();
  }

  private async handle({ method, argument, signal, emit }: IncomingCall): Promise<unknown> {
    const { plugin, grant, dataDirectory, commands, leases } = this;
    const caller = { plugin, grant, dataDirectory, commands, leases };
    const { calls } = this.options;
    const handler = Object.hasOwn(calls, method) ? calls[method] : undefined;
    if (handler === undefined) throw badCall({ caller, method });
    return handler({ caller, method, argument: asRecord(argument), signal, emit });
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
