/** The smaller services in memory. */
import {
  CodedError,
  type CommandHandler,
  CommandService,
  type Disposable,
  ElectionService,
  type ElectionState,
  type NodeStatus,
  type ProgramOptions,
  type ProgramResult,
  ProgramService,
  type Provider,
  type StatusRow,
  StatusService,
  Storage,
} from '@peerage/sdk';
import { Listeners, type TestPlugin } from './plugin.js';

export class TestElection extends ElectionService {
  readonly changed = new Listeners<ElectionState>();
  private readonly plugin: TestPlugin;

  constructor(plugin: TestPlugin) {
    super();
    this.plugin = plugin;
  }

  /** The scope of its election; `undefined` if it has none. */
  get service(): string | undefined {
    const { election, id } = this.plugin.manifest;
    const mode = typeof election === 'string' ? election : election.mode;
    if (mode === 'none') return undefined;
    return mode === 'own' ? id : 'network';
  }

  tell(): void {
    this.changed.tell(this.now());
  }

  override async provider(): Promise<Provider | undefined> {
    return this.now().provider;
  }

  override async state(): Promise<ElectionState> {
    return this.now();
  }

  override async onChange(listener: (state: ElectionState) => void): Promise<Disposable> {
    const state = this.now();
    queueMicrotask(() => listener(state));
    return this.changed.add(listener);
  }

  override async resign(): Promise<void> {
    const { service } = this;
    if (this.now().provider?.isSelf === true && service !== undefined) {
      this.plugin.node.lan.elect(service, undefined);
    }
  }

  private now(): ElectionState {
    const { service, plugin } = this;
    if (service !== undefined) return plugin.node.lan.state(service, plugin.node.name);
    throw new CodedError('E_ELECTION_NONE', `plugin ${plugin.manifest.id} has no election`);
  }
}

export class TestStatus extends StatusService {
  private readonly plugin: TestPlugin;

  constructor(plugin: TestPlugin) {
    super();
    this.plugin = plugin;
  }

  override async status(): Promise<NodeStatus> {
    this.plugin.grant.demandStatus();
    return { name: this.plugin.node.name };
  }

  override async peers(): Promise<readonly StatusRow[]> {
    this.plugin.grant.demandStatus();
    const { lan, name } = this.plugin.node;
    return lan.reachable(name).map((other) => ({ name: other.name }));
  }

  override async downloads(): Promise<readonly StatusRow[]> {
    this.plugin.grant.demandStatus();
    return [];
  }

  override async look(): Promise<readonly StatusRow[]> {
    this.plugin.grant.demandStatus();
    return [];
  }
}

export class TestPrograms extends ProgramService {
  private readonly plugin: TestPlugin;

  constructor(plugin: TestPlugin) {
    super();
    this.plugin = plugin;
  }

  override async run(
    name: string,
    values: Readonly<Record<string, string>>,
    { stdin }: ProgramOptions = {},
  ): Promise<ProgramResult> {
    const { grant, node } = this.plugin;
    const { command, arguments: templates } = grant.program(name);
    const program = node.programs.get(command);
    if (program === undefined) throw new CodedError('E_PROGRAM_MISSING', `${command} is not here`);
    const args = templates.map((template) => {
      return template.replace(/\{(?:file:)?([A-Za-z][A-Za-z0-9-]*)\}/g, (_, place: string) => {
        const value = values[place];
        if (value !== undefined && value !== '' && !value.startsWith('-')) return value;
        throw new CodedError('E_PROGRAM_VALUE', `${name}: the value "${place}" will not do`);
      });
    });
    return { exitCode: 0, stdout: '', stderr: '', ...(await program(args, stdin)) };
  }
}

export class TestCommands extends CommandService {
  private readonly plugin: TestPlugin;

  constructor(plugin: TestPlugin) {
    super();
    this.plugin = plugin;
  }

  override async onCommand(name: string, handler: CommandHandler): Promise<Disposable> {
    const { handlers, manifest } = this.plugin;
    if (manifest.commands?.some((command) => command.name === name) !== true) {
      throw new CodedError('E_COMMAND_UNKNOWN', `the manifest names no command "${name}"`);
    }
    handlers.set(name, handler);
    return { dispose: () => void handlers.delete(name) };
  }
}

export class TestStorage extends Storage {
  private readonly values = new Map<string, string>();

  override async get(key: string): Promise<unknown> {
    const text = this.values.get(key);
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  }

  override async set(key: string, value: unknown): Promise<void> {
    const text = JSON.stringify(value);
    if (key === '' || key.length > 100 || text === undefined || text.length > 1024 * 1024) {
      throw new CodedError('E_STORAGE', `the value of "${key}" cannot be kept`);
    }
    this.values.set(key, text);
  }

  override async delete(key: string): Promise<void> {
    this.values.delete(key);
  }

  override async keys(): Promise<readonly string[]> {
    return [...this.values.keys()].sort();
  }
}
