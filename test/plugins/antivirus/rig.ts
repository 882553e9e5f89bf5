/** Anti-virus plugins on the nodes of a LAN in memory, with services that a test drives. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import AntivirusPlugin from '@peerage/antivirus/plugin.js';
import type { AntivirusSettings, ClamavSettings } from '@peerage/antivirus/settings.js';
import {
  CodedError,
  type CommandHandler,
  type CommandResult,
  CommandService,
  type Disposable,
  ElectionService,
  type ElectionState,
  type Job,
  type Log,
  type PlannedJob,
  PluginContext,
  type ProgramResult,
  ProgramService,
  Schedule,
} from '@peerage/sdk';
import type { FakeLan, FakeNode } from '../../update-agent/fake-lan.js';
import { publisher, SOURCE } from './clamav-origin.js';

const CLAMAV: ClamavSettings = {
  databases: ['test'],
  source: SOURCE,
  mode: 'mirror',
  listen: { address: '127.0.0.1', port: 0 },
  databaseDirectory: '',
  databaseOwner: 'root',
  freshclamRunsPerDay: 24,
  clamdSocket: '',
  keys: publisher.keys,
};

const SETTINGS: AntivirusSettings = {
  clamav: CLAMAV,
  products: [],
  times: { atStartSeconds: [], afterSuccessHours: 12, afterFailureHours: 6, jitterShare: 0 },
  rules: { pins: {}, recalls: [], canaryShare: 1, canaryWaitMinutes: 60, acceptsRecalls: true },
};

export interface NodeOptions {
  readonly directory: string;
  readonly hasInternet?: boolean;
  readonly clamav?: Partial<ClamavSettings>;
  readonly settings?: Partial<AntivirusSettings>;
  readonly programs?: ProgramService;
  /** The provider's name; nobody is elected if absent. */
  readonly provider?: string;
}

export class TestNode {
  readonly peering: FakeNode;
  readonly election: FakeElection;
  readonly commands = new FakeCommands();
  readonly context: FakeContext;
  readonly plugin: AntivirusPlugin;
  readonly databaseDirectory: string;

  private constructor(lan: FakeLan, name: string, options: NodeOptions) {
    const { directory, hasInternet = true, clamav, settings, provider } = options;
    this.databaseDirectory = join(directory, 'databases');
    mkdirSync(this.databaseDirectory, { recursive: true });
    this.peering = lan.node(name, hasInternet);
    this.election = new FakeElection(name, provider);
    const own = { ...CLAMAV, databaseDirectory: this.databaseDirectory, ...clamav };
    this.context = new FakeContext(directory, { ...SETTINGS, ...settings, clamav: own });
    this.plugin = new AntivirusPlugin(
      this.peering,
      this.election,
      new FakeSchedule(),
      options.programs ?? new NoPrograms(),
      this.commands,
      this.context,
    );
  }

  static async start(lan: FakeLan, name: string, options: NodeOptions): Promise<TestNode> {
    const node = new TestNode(lan, name, options);
    await node.plugin.activate();
    return node;
  }

  get mirror(): string {
    return `http://127.0.0.1:${this.plugin.mirrorPort}`;
  }

  /** The version in force of a component, as the status tells it. */
  version(component = 'test'): string | undefined {
    return this.plugin.status().components.find((one) => one.component === component)?.version;
  }

  /** Why the last check did not bring what it should. */
  failure(): string | undefined {
    return this.plugin.status().components[0]?.reason ?? this.report().failure?.code;
  }

  /** Makes a check of the first feed. */
  async check(): Promise<string> {
    const [first] = this.plugin.running;
    if (first === undefined) throw new Error('no feed');
    return (await first.agent.check('test')).outcome;
  }

  async stop(): Promise<void> {
    for (const one of this.context.subscriptions.splice(0).reverse()) await one.dispose();
  }

  private report() {
    const report = this.plugin.running[0]?.agent.reports[0];
    if (report === undefined) throw new Error('no check was made');
    return report;
  }
}

export class FakeContext extends PluginContext<AntivirusSettings> {
  override readonly id = 'antivirus';
  override readonly coreVersion = '0.1.0';
  override readonly subscriptions: Disposable[] = [];
  override readonly settings: AntivirusSettings;
  override readonly dataDirectory: string;
  readonly lines: Array<{ event: string; fields: Readonly<Record<string, unknown>> }> = [];
  override readonly log: Log = {
    info: (event, fields = {}) => void this.lines.push({ event, fields }),
    warn: (event, fields = {}) => void this.lines.push({ event, fields }),
    error: (event, fields = {}) => void this.lines.push({ event, fields }),
  };

  constructor(directory: string, settings: AntivirusSettings) {
    super();
    this.dataDirectory = directory;
    this.settings = settings;
  }
}

export class FakeElection extends ElectionService {
  private readonly listeners = new Set<(state: ElectionState) => void>();
  private readonly self: string;
  private designated: string | undefined;
  resignations = 0;

  constructor(self: string, designated: string | undefined) {
    super();
    this.self = self;
    this.designated = designated;
  }

  elect(node: string | undefined): void {
    this.designated = node;
    for (const listener of this.listeners) listener(this.now());
  }

  override async provider() {
    return this.now().provider;
  }

  override async state() {
    return this.now();
  }

  override async onChange(listener: (state: ElectionState) => void): Promise<Disposable> {
    this.listeners.add(listener);
    listener(this.now());
    return { dispose: () => void this.listeners.delete(listener) };
  }

  override async resign(): Promise<void> {
    this.resignations += 1;
  }

  private now(): ElectionState {
    const node = this.designated;
    const provider = node === undefined ? undefined : { node, isSelf: node === this.self };
    return { provider, backup: undefined, epoch: 1, sinceMs: 0, reason: 'first' };
  }
}

class FakeSchedule extends Schedule {
  override plan(_job: Job): PlannedJob {
    return { now: async () => undefined, dispose: () => undefined };
  }
}

class FakeCommands extends CommandService {
  private readonly handlers = new Map<string, CommandHandler>();

  override async onCommand(name: string, handler: CommandHandler): Promise<Disposable> {
    this.handlers.set(name, handler);
    return { dispose: () => undefined };
  }

  run(name: string, ...args: string[]): Promise<CommandResult> {
    const handler = this.handlers.get(name);
    if (handler === undefined) throw new Error(`no command ${name}`);
    return handler(args, { json: true });
  }
}

class NoPrograms extends ProgramService {
  override async run(name: string): Promise<ProgramResult> {
    throw new CodedError('E_PROGRAM_NOT_GRANTED', `${name} was not granted`);
  }
}

/** Runs real programs, from a directory of the test's own. */
export class RealPrograms extends ProgramService {
  readonly runs: string[] = [];
  private readonly directory: string;

  constructor(directory: string) {
    super();
    this.directory = directory;
  }

  override async run(
    name: string,
    values: Readonly<Record<string, string>>,
  ): Promise<ProgramResult> {
    this.runs.push(name);
    const { config = '', database = '', target = '' } = values;
    const args =
      name === 'freshclam'
        ? [`--config-file=${config}`, '--stdout']
        : [`--database=${database}`, '--no-summary', target];
    const child = spawn(join(this.directory, name), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const closed = new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 1));
    });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { exitCode: await closed, stdout, stderr };
  }
}
