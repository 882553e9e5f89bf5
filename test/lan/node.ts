/**
 * A Peerage node as the lab runs it: the product's own program, driven by its own command line.
 *
 * Nothing here knows the product's insides: identity by `peerage ca`, start by `peerage start`,
 * everything else by the JSON that the commands print.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError } from '@peerage/sdk';
import { type Command, type Finished, succeeded } from './command.js';
import type { Place } from './place.js';

export const PROGRAM = fileURLToPath(new URL('../../../core/bin/peerage.js', import.meta.url));
/** The scripts that the url-cache plugin gives to its clients. */
export const CLIENT_SCRIPTS = fileURLToPath(
  new URL('../../../plugins/url-cache/clients/', import.meta.url),
);
/** Core and plugins have started by then even when many start at once, in milliseconds. */
const READY_DEADLINE_MS = 60_000;
const PROXY_PORT = 6516;

/** What stands in a node's plugins.json. */
export interface NodeConfig {
  readonly core?: Readonly<Record<string, unknown>>;
  /** Settings of the url-cache plugin, beyond where it listens. */
  readonly urlCache?: Readonly<Record<string, unknown>>;
  /** Further plugins: what stands in plugins.json under their ids; false: the core alone runs. */
  readonly plugins?: Readonly<Record<string, unknown>> | false;
  /** Where the url-cache plugin listens; the loopback address of the host by default. */
  readonly listen?: { readonly address: string; readonly port: number };
}

export class PeerageNode {
  readonly place: Place;
  /** The proxy for clients on the node's own host. */
  readonly proxyUrl: string;
  readonly #config: NodeConfig;
  #program: Command | undefined;

  constructor(place: Place, config: NodeConfig = {}) {
    this.place = place;
    this.#config = config;
    const { address, port } = this.#listen;
    this.proxyUrl = `http://${address}:${port}`;
  }

  get stateDirectory(): string {
    return join(this.place.directory, 'state');
  }

  /** The process of the core; 0 before it is started. */
  get pid(): number {
    return this.#program?.child.pid ?? 0;
  }

  /** What the node has logged up to now. */
  get log(): string {
    return `${this.#program?.stdout ?? ''}${this.#program?.stderr ?? ''}`;
  }

  /** Starts the program and waits until it says that it is ready. */
  async start(): Promise<void> {
    const file = join(this.place.directory, 'plugins.json');
    writeFileSync(file, `${JSON.stringify(this.#pluginsJson(), undefined, 2)}\n`);
    this.#program = this.place.spawn(process.execPath, [
      PROGRAM,
      ...['start', '--state', this.stateDirectory, '--config', file],
    ]);
    await this.#program.line('an event "ready"', READY_DEADLINE_MS, (line) =>
      eventOf(line) === 'ready' ? true : undefined,
    );
  }

  /** Asks the program to end, as an admin would. */
  async stop(): Promise<void> {
    await this.#program?.stop();
  }

  /** Kills the core's process, and it alone, with no warning. */
  async kill(): Promise<void> {
    this.#program?.signal('SIGKILL');
    await this.#program?.finished;
  }

  /** What a command of the product prints with `--json` for this node. */
  async ask(command: string, ...args: readonly string[]): Promise<unknown> {
    const asked = await this.command(command, ...args, '--json');
    const { stdout } = succeeded(`peerage ${command} on ${this.place.name}`, asked);
    return JSON.parse(stdout) as unknown;
  }

  /** Runs a command of the product for this node. */
  command(...args: readonly string[]): Promise<Finished> {
    return this.commandIn(this.stateDirectory, ...args);
  }

  /** Runs a command on the node's host, with another state directory. */
  commandIn(stateDirectory: string, ...args: readonly string[]): Promise<Finished> {
    return this.place.run(process.execPath, [PROGRAM, ...args, '--state', stateDirectory]);
  }

  /** What one of the node's views shows, asked on its socket: cheaper than a command. */
  async look(view: string): Promise<unknown> {
    const socket = join(this.stateDirectory, 'status.sock');
    const args = ['-sS', '--fail', '--unix-socket', socket, `http://node/${view}`];
    return JSON.parse(succeeded(`curl ${view}`, await this.place.run('curl', args)).stdout);
  }

  /** How many other nodes it knows; `undefined` while it does not answer. */
  async countPeers(): Promise<number | undefined> {
    return this.look('peers').then(
      (peers) => peersOf(peers).length,
      () => undefined,
    );
  }

  get #listen(): { readonly address: string; readonly port: number } {
    return this.#config.listen ?? { address: '127.0.0.1', port: PROXY_PORT };
  }

  #pluginsJson(): unknown {
    if (this.#config.plugins === false) return { core: this.#config.core ?? {}, plugins: {} };
    const settings = { ...this.#config.urlCache, listen: this.#listen };
    const urlCache = { use: '@peerage/url-cache', enabled: true, settings };
    const { core = {}, plugins } = this.#config;
    return { core, plugins: { 'url-cache': urlCache, ...plugins } };
  }
}

/** The event of a log line, `undefined` if the line is not one. */
function eventOf(line: string): unknown {
  if (!line.startsWith('{')) return undefined;
  try {
    return (JSON.parse(line) as { event?: unknown }).event;
  } catch {
    return undefined;
  }
}

/** The list that a node shows of its peers. */
function peersOf(shown: unknown): readonly unknown[] {
  if (Array.isArray(shown)) return shown as readonly unknown[];
  throw new CodedError('E_LAB_COMMAND', `the peers of a node: ${JSON.stringify(shown)}`, {
    expected: 'a list of peers',
  });
}
