/** A plugin that runs on a node of the test LAN: its services, its log, its commands, its end. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CodedError,
  type CommandHandler,
  type CommandResult,
  CommandService,
  type Disposable,
  ElectionService,
  PeeringService,
  type Plugin,
  PluginContext,
  type PluginManifest,
  ProgramService,
  Schedule,
  StatusService,
  Storage,
} from '@peerage/sdk';
import { construct, type Offer, type PluginClass } from '@peerage/sdk/construct.js';
import { PlannedSchedule } from '@peerage/sdk/planned-schedule.js';
import { TestGrant } from './grant.js';
import type { Packet } from './lan.js';
import type { StartOptions, TestNode } from './node.js';
import { TestPeering } from './peering.js';
import { TestCommands, TestElection, TestPrograms, TestStatus, TestStorage } from './services.js';

/** One line of a plugin's log. */
export interface TestLogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Listeners of one kind; what is left at the end is a leak. */
export class Listeners<T> {
  private readonly all = new Set<(value: T) => void>();

  get size(): number {
    return this.all.size;
  }

  add(listener: (value: T) => void): Disposable {
    this.all.add(listener);
    return { dispose: () => void this.all.delete(listener) };
  }

  tell(value: T): void {
    for (const listener of [...this.all]) queueMicrotask(() => listener(value));
  }
}

export class TestPlugin {
  readonly node: TestNode;
  readonly manifest: PluginManifest;
  readonly grant: TestGrant;
  readonly log: TestLogLine[] = [];
  readonly handlers = new Map<string, CommandHandler>();
  readonly peering: TestPeering;
  readonly election: TestElection;
  private readonly options: StartOptions;
  private readonly subscriptions: Disposable[] = [];
  private plugin: Plugin | undefined;
  private dataDirectory = '';

  constructor(node: TestNode, manifest: PluginManifest, options: StartOptions) {
    this.node = node;
    this.manifest = manifest;
    this.options = options;
    this.grant = new TestGrant(manifest, options.grant);
    this.peering = new TestPeering(this);
    this.election = new TestElection(this);
  }

  /** Runs one of its commands as `peerage <id> <name> …` does. @throws what the handler throws */
  command(name: string, ...args: readonly string[]): Promise<CommandResult> {
    const handler = this.handlers.get(name);
    if (handler !== undefined) return handler(args, { json: false });
    throw new CodedError('E_COMMAND_UNKNOWN', `the plugin handles no command "${name}"`);
  }

  /** The plugin itself; `undefined` before it was constructed and after its end. */
  get instance(): Plugin | undefined {
    return this.plugin;
  }

  /** Its log lines of one event. */
  said(event: string): TestLogLine[] {
    return this.log.filter((line) => line.event === event);
  }

  /** What it has not given back: 0 after `stop`, if it leaks nothing. */
  get held(): number {
    return this.handlers.size + this.peering.heard.size + this.election.changed.size;
  }

  async activate(pluginClass: PluginClass): Promise<void> {
    this.dataDirectory = await mkdtemp(join(tmpdir(), 'peerage-testkit-'));
    this.plugin = construct(pluginClass, this.manifest.id, this.offers());
    await this.plugin.activate();
  }

  /** Ends it as the host does: `deactivate`, then its subscriptions, last first. */
  async stop(): Promise<void> {
    await this.plugin?.deactivate();
    for (const subscription of this.subscriptions.splice(0).reverse()) await subscription.dispose();
    this.plugin = undefined;
    if (this.dataDirectory !== '') await rm(this.dataDirectory, { recursive: true, force: true });
  }

  hear({ service, name, values }: Packet, from: string): void {
    if (service === this.manifest.id) this.peering.heard.tell({ name, values, from });
  }

  electionChanged(service: string): void {
    if (service === this.election.service) this.election.tell();
  }

  private offers(): readonly Offer[] {
    const { clock } = this.node.lan;
    return [
      [PluginContext, this.context()],
      [PeeringService, this.peering],
      [ElectionService, this.election],
      [StatusService, new TestStatus(this)],
      [ProgramService, new TestPrograms(this)],
      [CommandService, new TestCommands(this)],
      [Storage, new TestStorage()],
      [
        Schedule,
        new PlannedSchedule({
          timers: clock,
          onFailure: (job, error) => {
            this.log.push({ level: 'warn', event: 'job-failed', fields: { job, error } });
          },
        }),
      ],
    ];
  }

  private context(): PluginContext {
    const { manifest, options, log, subscriptions, dataDirectory } = this;
    const settings = { ...defaultsOf(manifest.settings), ...options.settings };
    const write =
      (level: TestLogLine['level']) =>
      (event: string, fields = {}) => {
        log.push({ level, event, fields });
      };
    class Context extends PluginContext {
      override readonly id = manifest.id;
      override readonly settings = settings;
      override readonly dataDirectory = dataDirectory;
      override readonly coreVersion = '0.1.0';
      override readonly log = { info: write('info'), warn: write('warn'), error: write('error') };
      override readonly subscriptions = subscriptions;
    }
    return new Context();
  }
}

/** The defaults of a JSON Schema, filled in as the core does. */
function defaultsOf(schema: unknown): Record<string, unknown> {
  const { properties = {} } = (schema ?? {}) as { properties?: Record<string, unknown> };
  const filled: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    const { default: value } = property as { default?: unknown };
    if (value === undefined) continue;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    filled[name] = isObject ? { ...defaultsOf(property), ...value } : value;
  }
  return filled;
}
