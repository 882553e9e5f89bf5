/**
 * One plugin's process and its life: spawned, started, watched, restarted with back-off, put into
 * quarantine after three crashes in five minutes. Whatever it does, the core goes on.
 *
 *   starting ─► active ─(exit, hang)─► restarting ─► starting …
 *       └─(refused, too slow)──────────────┘   └─(3 in 5 min)─► quarantined
 *
 * Invariant: nothing that a plugin sends is taken for more than bytes; it can end no call but its
 * own, and no process but its own.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { CodedError } from '@peerage/sdk';
import type { Clock, InstantMs } from '../base/time.js';
import type { Logger } from '../ports/log.js';
import type { PluginStatus } from '../ports/ports.js';
import { readMessage, type ToPlugin, toWireError } from './channel.js';
import type { Grant } from './grant.js';
import type { PluginPackage } from './manifest.js';

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
/** Calls of one plugin that are being carried out at once. */
const CALLS_MAX = 1024;

export interface ProcessOptions {
  readonly plugin: PluginPackage;
  readonly grant: Grant;
  readonly dataDirectory: string;
  readonly ticketSocket: string;
  readonly coreVersion: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly times?: PluginTimes | undefined;
  /** Carries a call out; its result or error is the reply. */
  readonly handle: (method: string, argument: unknown, signal: AbortSignal) => Promise<unknown>;
}

export class PluginProcess {
  private readonly options: ProcessOptions;
  private readonly times: PluginTimes;
  private state: PluginStatus['state'] = 'stopped';
  private child: ChildProcess | undefined;
  private calls = new Map<number, AbortController>();
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

  /** Starts the process; resolves when the plugin is active. @throws CodedError when it refuses */
  async start(): Promise<void> {
    const { plugin, dataDirectory, ticketSocket, coreVersion } = this.options;
    await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
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

  private get id(): string {
    return this.options.plugin.manifest.id;
  }

  private spawn(): ChildProcess {
    const { plugin, dataDirectory } = this.options;
    const memoryMiB = plugin.entry.grant.memoryMiB ?? MEMORY_MIB;
    const child = fork(fileURLToPath(new URL('./runner.js', import.meta.url)), [], {
      cwd: dataDirectory,
      env: {},
      execArgv: [`--max-old-space-size=${memoryMiB}`, '--enable-source-maps'],
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
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
    switch (message?.type) {
      case 'activated':
        resolve();
        break;
      case 'failed':
        reject(new CodedError(message.error.code, `${this.id}: ${message.error.message}`));
        break;
      case 'pong':
        this.missed = 0;
        break;
      case 'call':
      case 'subscribe':
        void this.carryOut(child, message.id, message.method, message.argument);
        break;
      case 'cancel':
        this.calls.get(message.id)?.abort();
        break;
      case 'log':
        this.options.logger.log(message.level, message.event, {
          plugin: this.id,
          ...message.fields,
        });
        break;
      case undefined:
        this.options.grant.counters.add('malformed-messages');
        break;
      default:
        break;
    }
  }

  /** The reply goes to the process that called, not to its successor. */
  private async carryOut(
    child: ChildProcess,
    id: number,
    method: string,
    argument: unknown,
  ): Promise<void> {
    if (this.calls.size >= CALLS_MAX || this.calls.has(id)) {
      const error = new CodedError('E_BUSY', `${this.id} has ${this.calls.size} calls in work`);
      return this.post({ type: 'reply', id, error: toWireError(error) });
    }
    const controller = new AbortController();
    this.calls.set(id, controller);
    try {
      const value = await this.options.handle(method, argument, controller.signal);
      if (child === this.child) this.post({ type: 'reply', id, value });
    } catch (error) {
      if (child === this.child) this.post({ type: 'reply', id, error: toWireError(error) });
    } finally {
      if (this.calls.get(id) === controller) this.calls.delete(id);
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
    for (const controller of this.calls.values()) controller.abort();
    this.calls.clear();
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
      this.start().catch((error: unknown) => {
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
