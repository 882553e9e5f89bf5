/**
 * The plugin host: every enabled entry of plugins.json is read and judged before the first process
 * is started; each plugin then lives on its own (`hosted`). Calls are checked in `calls`, keyed by
 * the process they came from; a changed plugins.json is taken as a whole or not at all (`reload`).
 */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError, type CommandResult } from '@peerage/sdk';
import type { Clock } from '../base/time.js';
import { type Configuration, nearest, readConfiguration } from '../ports/configuration.js';
import type { ErrandRules } from '../ports/errands.js';
import type { Logger } from '../ports/log.js';
import type {
  PluginCommandStatus,
  PluginHost,
  PluginStatus,
  ReloadReport,
} from '../ports/ports.js';
import type { CallTable } from './calls/call.js';
import { type CallServices, callTable } from './calls/table.js';
import { placeOf, readClosure } from './closure.js';
import type { HandedSocket } from './handed-socket.js';
import { Hosted } from './hosted.js';
import { type PluginPackage, readPlugin } from './manifest.js';
import type { PluginTimes } from './plugin-process.js';
import { carryOut, plan, report } from './reload.js';
import { TicketOffice } from './tickets.js';
import { watchFile } from './watch.js';

const PLUGINS_MAX = 64;
/** What the program of the plugins' processes consists of: the core's own code, and packages. */
const CORE_CODE = ['../', '../../package.json'].map((path) => pathOf(path));
const RUNNER_PACKAGES = ['@peerage/sdk', 'reflect-metadata', 'tsyringe'];

export interface HostOptions extends CallServices {
  readonly configuration: Configuration;
  readonly stateDirectory: string;
  readonly coreVersion: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly times?: PluginTimes;
  /** Sockets that the service manager keeps open for plugins. */
  readonly sockets?: readonly HandedSocket[] | undefined;
}

export class PluginHosting implements PluginHost, ErrandRules {
  private readonly options: HostOptions;
  private configuration: Configuration;
  private hosted: readonly Hosted[] = [];
  private readonly readPaths = new WeakMap<PluginPackage, readonly string[]>();
  private tickets: TicketOffice | undefined;
  private calls: CallTable = {};
  private watcher: { dispose(): void } | undefined;
  /** Reloads come one after the other. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(options: HostOptions) {
    this.options = options;
    this.configuration = options.configuration;
  }

  /**
   * Reads and judges all enabled plugins, then starts them.
   * @throws CodedError if any entry is wrong; nothing was started then
   */
  async start(): Promise<void> {
    const { stateDirectory } = this.options;
    const packages = await this.read(this.configuration);
    // To be walked through by plugins with a user of their own; each one's directory is its own.
    const directory = join(stateDirectory, 'plugins');
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o711);
    this.tickets = await TicketOffice.open(join(stateDirectory, 'tickets.sock'));
    this.calls = callTable(this.options, this.tickets, (asking, url) => this.serve(asking, url));
    this.hosted = packages.map((plugin) => this.host(plugin));
    const late = (hosted: Hosted) => hosted.waitsFor('schedule') && !hosted.waitsFor('start');
    await Promise.all(this.hosted.filter((one) => !late(one)).map((one) => one.begin()));
    await Promise.all(this.hosted.filter(late).map((one) => one.begin()));
    // What is wrong with the new file was logged; what ran before runs on.
    const changed = () => void this.reload().catch(() => undefined);
    this.watcher = watchFile(this.configuration.file, changed);
  }

  async stop(): Promise<void> {
    this.watcher?.dispose();
    await this.turn.catch(() => undefined);
    await Promise.all(this.hosted.map((hosted) => hosted.stop()));
    await this.tickets?.close();
  }

  plugins(): PluginStatus[] {
    const running = this.hosted.map(({ process }) => process.status());
    const disabled = Object.entries(this.configuration.plugins)
      .filter(([, entry]) => !entry.enabled)
      .map(([id]) => ({ ...NOTHING, id }));
    return [...running, ...disabled];
  }

  /** Whether our own plugin of that name may ask for, or send to, this address. */
  allows(service: string, url: string, kind: 'urls' | 'uploads'): boolean {
    const judged = this.hosted.find(({ id }) => id === service)?.grant.judge(url, kind);
    return judged?.rule !== undefined && judged.granted;
  }

  async leasesEnded(): Promise<void> {
    await Promise.all(this.hosted.map(({ leases }) => leases?.settled()));
  }

  commands(): PluginCommandStatus[] {
    return this.hosted.flatMap(({ plugin }) => {
      const { id, commands = [] } = plugin.manifest;
      return commands.map((command) => ({ plugin: id, ...command }));
    });
  }

  async run(
    plugin: string,
    name: string,
    args: readonly string[],
    json: boolean,
  ): Promise<CommandResult> {
    const hosted = this.find(plugin);
    await hosted.start();
    return hosted.commands.run(name, args, json);
  }

  requested(url: string): void {
    const best = this.best(url);
    if (best?.waitsFor('url') === true) best.startSoon();
  }

  async restart(plugin: string): Promise<void> {
    await this.inTurn(async () => {
      const old = this.find(plugin);
      const [next] = (await this.read(this.configuration)).filter(
        ({ manifest }) => manifest.id === old.id,
      );
      if (next === undefined) throw unknownPlugin(plugin, []);
      const without = this.hosted.filter((hosted) => hosted !== old);
      await old.stop();
      const fresh = this.host(next);
      this.hosted = [...without, fresh];
      await fresh.start();
      fresh.join();
    });
  }

  async reload(): Promise<ReloadReport> {
    return this.inTurn(async () => {
      const { logger } = this.options;
      try {
        const configuration = await readConfiguration(this.configuration.file);
        const what = plan(this.hosted, await this.read(configuration));
        const { running, error } = await carryOut(what, (plugin) => this.host(plugin));
        this.hosted = running;
        if (error !== undefined) throw error;
        const isCoreChanged =
          JSON.stringify(configuration.core) !== JSON.stringify(this.configuration.core);
        this.configuration = configuration;
        const done = report(what);
        logger.log('info', 'configuration-reloaded', { ...done, file: configuration.file });
        if (isCoreChanged) logger.log('warn', 'core-settings-need-restart');
        return done;
      } catch (error) {
        const fields = { error, kept: 'what ran before runs on' };
        logger.log('error', 'configuration-rejected', fields);
        throw error;
      }
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.catch(() => undefined).then(work);
    this.turn = done;
    return done;
  }

  /** All enabled plugins, judged. @throws CodedError if any is wrong */
  private async read(configuration: Configuration): Promise<PluginPackage[]> {
    const enabled = Object.entries(configuration.plugins).filter(([, entry]) => entry.enabled);
    if (enabled.length > PLUGINS_MAX) {
      throw new CodedError('E_PLUGINS_TOO_MANY', `${enabled.length} plugins are enabled`, {
        expected: `at most ${PLUGINS_MAX}`,
      });
    }
    return Promise.all(
      enabled.map(async ([id, entry]) => {
        const plugin = await readPlugin(id, entry, configuration);
        const packages = await readClosure([plugin.directory, ...(await runnerPackages())]);
        this.readPaths.set(plugin, [...CORE_CODE, ...packages]);
        return plugin;
      }),
    );
  }

  private host(plugin: PluginPackage): Hosted {
    if (plugin.entry.grant.uid !== undefined) this.tickets?.admitOthers();
    const ticketSocket = this.tickets?.path ?? '';
    const options = { ...this.options, ticketSocket, calls: this.calls };
    return new Hosted(plugin, this.readPaths.get(plugin) ?? [], options);
  }

  private find(id: string): Hosted {
    const exact = this.hosted.find((hosted) => hosted.id === id);
    const short = this.hosted.filter((hosted) => hosted.id.startsWith(`${id}-`));
    const found = exact ?? (short.length === 1 ? short[0] : undefined);
    if (found !== undefined) return found;
    throw unknownPlugin(
      id,
      this.hosted.map((hosted) => hosted.id),
    );
  }

  /** The plugin whose patterns fit best names the service, whoever asks; of equals the one that asks. */
  private serve(asking: string, url: string): string {
    const best = this.best(url, asking);
    if (best !== undefined && best.id !== asking && best.waitsFor('url')) best.startSoon();
    return best?.id ?? asking;
  }

  private best(url: string, asking?: string): Hosted | undefined {
    let best: { readonly hosted: Hosted; readonly precedence: number } | undefined;
    for (const hosted of this.hosted) {
      const precedence = hosted.grant.precedence(url) ?? -1;
      const most = best?.precedence ?? -1;
      const asks = hosted.id === asking && precedence === most && most >= 0;
      if (precedence > most || asks) best = { hosted, precedence };
    }
    return best?.hosted;
  }
}

/** A path seen from this module, without a slash at its end. */
function pathOf(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url)).replace(/[\\/]$/, '');
}

async function runnerPackages(): Promise<string[]> {
  const places = await Promise.all(RUNNER_PACKAGES.map((name) => placeOf(name, pathOf('../'))));
  return places.filter((place) => place !== undefined);
}

const NOTHING = {
  version: '',
  state: 'disabled' as const,
  pid: undefined,
  restarts: 0,
  lastError: undefined,
  counters: {},
};

function unknownPlugin(id: string, known: readonly string[]): CodedError {
  const near = nearest(id, known);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  return new CodedError('E_PLUGIN_UNKNOWN', `no plugin "${id}" is enabled${hint}`);
}
