/**
 * One plugin's process and its life: spawned, started, watched, restarted with back-off, put into
 * quarantine after three crashes in five minutes. Whatever it does, the core goes on.
 *
 *   idle ─► starting ─► active ─(exit, hang, flood)─► restarting ─► starting …
 *               └─(refused, too slow)─────────────────────┘   └─(3 in 5 min)─► quarantined
 *
 * Invariant: nothing that a plugin sends is taken for more than bytes; it can end no call but its
 * own, and no process but its own.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CodedError } from '@peerage/sdk';
import type { Clock, InstantMs } from '../base/time.js';
import type { Logger } from '../ports/log.js';
import type { PluginStatus } from '../ports/ports.js';
import {
  fromWireError,
  readMessage,
  readWireError,
  type ToCore,
  type ToPlugin,
  toWireError,
} from './channel.js';
import { makeDataDirectory } from './data-directory.js';
import type { Grant } from './grant.js';
import { type HandedSocket, socketsFor } from './handed-socket.js';
import { launch } from './launch.js';
import type { PluginPackage } from './manifest.js';
import { IDLE_MESSAGES_MAX, MessageBudget } from './message-budget.js';

/** How long a plugin may take. */
export interface PluginTimes {
  /** From its start until it is active. */
  readonly activateMs: number;
  /** To stop, before it is killed. */
  readonly shutdownMs: number;
  /** Between two pings. */
  readonly pingMs: number;
  /** Before the first restart; four times as long before each further one. */
  readonly backoffMs: number;
}

export const PLUGIN_TIMES: PluginTimes = {
  activateMs: 10_000,
  shutdownMs: 5000,
  pingMs: 2000,
  backoffMs: 200,
};
/** Pings without answer before the process is taken for hung. */
const PINGS_MISSED_MAX = 4;
const CRASHES_MAX = 3;
const CRASH_WINDOW_MS = 5 * 60_000;
const MEMORY_MIB = 256;
const LOG_LINES_MAX = 50;
/** Calls of one plugin that are being carried out at once, and subscriptions. */
const CALLS_MAX = 1024;
const SUBSCRIPTIONS_MAX = 256;

export interface ProcessOptions {
  readonly plugin: PluginPackage;
  readonly grant: Grant;
  readonly dataDirectory: string;
  readonly ticketSocket: string;
  /** Sockets that listen already; the plugin gets those of its ports. */
  readonly sockets: readonly HandedSocket[];
  readonly coreVersion: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly times?: PluginTimes | undefined;
  /** Directories and files that its code is read from. */
  readonly readPaths: readonly string[];
  /** Carries a call out; its result or error is the reply, `emit` sends events beside it. */
  readonly handle: (call: IncomingCall) => Promise<unknown>;
}

/** A call as it came from the process. */
export interface IncomingCall {
  readonly method: string;
  readonly argument: unknown;
  readonly signal: AbortSignal;
  emit(value: unknown): void;
}

export class PluginProcess {
  private readonly options: ProcessOptions;
  private readonly times: PluginTimes;
  private state: PluginStatus['state'] = 'idle';
  private child: ChildProcess | undefined;
  private starting: Promise<void> | undefined;
  private readonly calls = new Map<number, AbortController>();
  private readonly subscriptions = new Map<number, AbortController>();
  private readonly budget: MessageBudget;
  private crashes: InstantMs[] = [];
  private restarts = 0;
  private lastError: string | undefined;
  private missed = 0;
  private pinger: NodeJS.Timeout | undefined;
  private backoff: NodeJS.Timeout | undefined;
  private stopping = false;
  private readonly lines: string[] = [];

  constructor(options: ProcessOptions) {
    this.options = options;
    this.times = options.times ?? PLUGIN_TIMES;
    this.budget = new MessageBudget(options.clock);
  }

  status(): PluginStatus {
    const { manifest, version } = this.options.plugin;
    return {
      id: manifest.id,
      version,
      state: this.state,
      pid: this.child?.pid,
      restarts: this.restarts,
      lastError: this.lastError,
      counters: this.options.grant.counters.snapshot(),
    };
  }

  /**
   * Starts the process, unless it runs; resolves when the plugin is active.
   * @throws CodedError when it refuses, `E_PLUGIN_QUARANTINED` when it may not
   */
  ensure(): Promise<void> {
    if (this.state === 'active') return Promise.resolve();
    if (this.state === 'quarantined') {
      return Promise.reject(
        new CodedError('E_PLUGIN_QUARANTINED', `${this.id} crashed too often: ${this.lastError}`, {
          action: `mend it, then \`peerage plugins restart ${this.id}\``,
        }),
      );
    }
    this.starting ??= this.start().finally(() => {
      this.starting = undefined;
    });
    return this.starting;
  }

  private async start(): Promise<void> {
    const { plugin, dataDirectory, ticketSocket, coreVersion, grant } = this.options;
    await makeDataDirectory(dataDirectory, plugin.entry.grant.uid);
    if (this.stopping) throw new CodedError('E_STOPPING', `${this.id} is being stopped`);
    this.state = 'starting';
    const child = this.spawn();
    this.child = child;
    let timer: NodeJS.Timeout | undefined;
    const activated = new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(this.tooSlow()), this.times.activateMs);
      child.on('message', (raw) => {
        if (child === this.child) this.receive(child, raw, resolve, reject);
      });
      child.once('exit', (code, signal) => {
        reject(new CodedError('E_PLUGIN_EXITED', `${this.id} ended (${signal ?? code})`));
        this.exited(child, code, signal);
      });
    });
    const { main, settings } = plugin;
    this.post({
      type: 'start',
      id: this.id,
      main,
      settings,
      dataDirectory,
      ticketSocket,
      coreVersion,
      listen: grant.listen,
      sockets: this.handed.handed,
    });
    try {
      await activated;
    } catch (error) {
      this.lastError = error instanceof Error ? error.message : String(error);
      child.kill('SIGKILL');
      throw error;
    } finally {
      clearTimeout(timer);
    }
    this.state = 'active';
    this.lastError = undefined;
    this.watch();
  }

  /** Stops it within the shutdown budget, then kills it. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.backoff);
    clearInterval(this.pinger);
    const { child } = this;
    this.state = 'stopped';
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.post({ type: 'stop' });
    const timer = setTimeout(() => child.kill('SIGKILL'), this.times.shutdownMs);
    await exited;
    clearTimeout(timer);
  }

  /** The sockets that are kept open for it; none where it is to have no network. */
  private get handed() {
    const { plugin, grant, sockets } = this.options;
    const { network = true } = plugin.entry.grant;
    return socketsFor(network ? sockets : [], this.id, grant.listen);
  }

  private get id(): string {
    return this.options.plugin.manifest.id;
  }

  private spawn(): ChildProcess {
    const { plugin, dataDirectory, grant, readPaths } = this.options;
    const { memoryMiB = MEMORY_MIB, network = true, uid, confine = true } = plugin.entry.grant;
    const writePaths = [dataDirectory, ...grant.writePaths];
    const wish = { memoryMiB, network, uid, confine, readPaths, writePaths };
    const { execPath, execArgv } = launch({ plugin: this.id, ...wish });
    const child = fork(fileURLToPath(new URL('./runner.js', import.meta.url)), [], {
      cwd: dataDirectory,
      env: {},
      execPath,
      execArgv: [...execArgv],
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', ...this.handed.fds],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => this.keepLines(chunk.toString('utf8')));
    }
    child.on('error', (error) => {
      this.lastError = error.message;
    });
    return child;
  }

  private post(message: ToPlugin): void {
    if (this.child?.connected === true) this.child.send(message, () => undefined);
  }

  private receive(
    child: ChildProcess,
    raw: unknown,
    resolve: () => void,
    reject: (error: Error) => void,
  ): void {
    const message = readMessage(raw);
    const isCall = message?.type === 'call' && this.calls.size < CALLS_MAX;
    if (!isCall && this.floods(child)) return;
    switch (message?.type) {
      case 'activated':
        resolve();
        break;
      case 'failed':
        reject(
          fromWireError({ ...message.error, message: `${this.id}: ${message.error.message}` }),
        );
        break;
      case 'pong':
        this.missed = 0;
        break;
      case 'call':
      case 'subscribe':
        void this.carryOut(child, message);
        break;
      case 'cancel':
        this.calls.get(message.id)?.abort();
        this.subscriptions.get(message.id)?.abort();
        this.subscriptions.delete(message.id);
        break;
      case 'log':
        this.options.logger.log(message.level, message.event, {
          plugin: this.id,
          ...withError(message.fields),
        });
        break;
      case undefined:
        this.options.grant.counters.add('malformed-messages');
        break;
      default:
        break;
    }
  }

  /** Ends a process that sends more than anybody can need: its messages cost the others. */
  private floods(child: ChildProcess): boolean {
    if (!this.budget.isFlood()) return false;
    if (!child.killed) {
      this.lastError = `more than ${IDLE_MESSAGES_MAX} messages in a second that ask for nothing`;
      this.options.grant.counters.add('floods');
      child.kill('SIGKILL');
    }
    return true;
  }

  /** The reply goes to the process that called, not to its successor. */
  private async carryOut(
    child: ChildProcess,
    { type, id, method, argument }: Extract<ToCore, { type: 'call' | 'subscribe' }>,
  ): Promise<void> {
    const answer = (message: ToPlugin) => {
      if (child === this.child) this.post(message);
    };
    const table = type === 'call' ? this.calls : this.subscriptions;
    const isFull = table.size >= (type === 'call' ? CALLS_MAX : SUBSCRIPTIONS_MAX);
    if (isFull || this.calls.has(id) || this.subscriptions.has(id)) {
      const error = new CodedError('E_BUSY', `${this.id} has ${table.size} of these in work`);
      return answer({ type: 'reply', id, error: toWireError(error) });
    }
    const controller = new AbortController();
    const { signal } = controller;
    table.set(id, controller);
    const emit = (value: unknown) => answer({ type: 'event', id, value });
    try {
      await this.budget.call();
      const value = await this.options.handle({ method, argument, signal, emit });
      answer({ type: 'reply', id, value });
      if (type === 'call') this.calls.delete(id);
    } catch (error) {
      answer({ type: 'reply', id, error: toWireError(error) });
      if (table.get(id) === controller) table.delete(id);
    }
  }

  private watch(): void {
    this.missed = 0;
    let round = 0;
    clearInterval(this.pinger);
    this.pinger = setInterval(() => {
      this.missed += 1;
      round += 1;
      if (this.missed > PINGS_MISSED_MAX) {
        this.lastError = `no answer for ${(PINGS_MISSED_MAX * this.times.pingMs) / 1000} s`;
        this.child?.kill('SIGKILL');
      } else this.post({ type: 'ping', round });
    }, this.times.pingMs);
    this.pinger.unref();
  }

  private exited(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    for (const table of [this.calls, this.subscriptions]) {
      for (const controller of table.values()) controller.abort();
      table.clear();
    }
    clearInterval(this.pinger);
    if (this.stopping || child !== this.child) return;
    this.child = undefined;
    const { clock, logger } = this.options;
    const now = clock.nowMs();
    this.crashes = [...this.crashes.filter((at) => now - at < CRASH_WINDOW_MS), now];
    this.lastError ??= `ended (${signal ?? code})`;
    const fields = {
      plugin: this.id,
      code: 'E_PLUGIN_EXITED',
      exit: signal ?? code,
      lines: this.lines.slice(-10),
    };
    if (this.crashes.length >= CRASHES_MAX) {
      this.state = 'quarantined';
      logger.log('error', 'plugin-quarantined', fields);
      return;
    }
    this.state = 'restarting';
    this.restarts += 1;
    logger.log('error', 'plugin-exited', fields);
    const waitMs = this.times.backoffMs * 4 ** (this.crashes.length - 1);
    this.backoff = setTimeout(() => {
      this.ensure().catch((error: unknown) => {
        logger.log('error', 'plugin-failed', { plugin: this.id, error });
      });
    }, waitMs);
  }

  private tooSlow(): CodedError {
    const { activateMs } = this.times;
    return new CodedError('E_PLUGIN_SLOW', `${this.id} was not active within ${activateMs} ms`, {
      expected: 'activate() to resolve when the plugin is ready',
    });
  }

  private keepLines(text: string): void {
    for (const line of text.split('\n').filter((part) => part !== '')) {
      this.lines.push(line.slice(0, 500));
      if (this.lines.length > LOG_LINES_MAX) this.lines.shift();
    }
  }
}

/** The fields of a plugin's log line, its error as one again. */
function withError(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { error } = fields;
  if (typeof error !== 'object' || error === null) return fields;
  return { ...fields, error: fromWireError(readWireError(error)) };
}
