/**
 * The plugin host: every enabled entry of plugins.json is read and judged before the first process
 * is started; each plugin then lives on its own. Its calls are checked here, keyed by the process
 * they came from, and carried out by the services.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CodedError,
  describeError,
  errorCode,
  type ResourceRequest,
  type ResourceResponse,
} from '@peerage/sdk';
import type { Clock } from '../base/time.js';
import type { Configuration } from '../ports/configuration.js';
import type { Logger } from '../ports/log.js';
import type { ContentTransfer, PluginHost, PluginStatus } from '../ports/ports.js';
import type { OpenReply } from './channel.js';
import { Grant } from './grant.js';
import { type PluginPackage, readPlugin } from './manifest.js';
import { PluginProcess, type PluginTimes } from './plugin-process.js';
import { TicketOffice } from './tickets.js';

/** Bodies up to this size that are at hand travel with the reply. */
const INLINE_BYTES_MAX = 32 * 1024;
const PLUGINS_MAX = 64;

export interface HostOptions {
  readonly configuration: Configuration;
  readonly stateDirectory: string;
  readonly transfer: ContentTransfer;
  readonly coreVersion: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly times?: PluginTimes;
}

interface Hosted {
  readonly plugin: PluginPackage;
  readonly grant: Grant;
  readonly process: PluginProcess;
}

export class PluginHosting implements PluginHost {
  private readonly options: HostOptions;
  private readonly hosted: Hosted[] = [];
  private tickets: TicketOffice | undefined;

  constructor(options: HostOptions) {
    this.options = options;
  }

  /**
   * Reads and judges all enabled plugins, then starts them.
   * @throws CodedError if any entry is wrong; nothing was started then
   */
  async start(): Promise<void> {
    const { configuration, stateDirectory, logger } = this.options;
    const enabled = Object.entries(configuration.plugins).filter(([, entry]) => entry.enabled);
    if (enabled.length > PLUGINS_MAX) {
      throw new CodedError('E_PLUGINS_TOO_MANY', `${enabled.length} plugins are enabled`, {
        expected: `at most ${PLUGINS_MAX}`,
      });
    }
    const packages = await Promise.all(
      enabled.map(([id, entry]) => readPlugin(id, entry, configuration)),
    );
    await mkdir(join(stateDirectory, 'plugins'), { recursive: true, mode: 0o700 });
    this.tickets = await TicketOffice.open(join(stateDirectory, 'tickets.sock'));
    for (const plugin of packages) this.hosted.push(this.prepare(plugin, this.tickets));
    await Promise.all(
      this.hosted.map(async ({ plugin, process }) => {
        try {
          await process.start();
          logger.log('info', 'plugin-active', {
            plugin: plugin.manifest.id,
            version: plugin.version,
          });
        } catch (error) {
          const fields = {
            plugin: plugin.manifest.id,
            code: errorCode(error),
            error: describeError(error),
          };
          logger.log('error', 'plugin-failed', fields);
        }
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.hosted.map(({ process }) => process.stop()));
    await this.tickets?.close();
  }

  plugins(): PluginStatus[] {
    const running = this.hosted.map(({ process }) => process.status());
    const disabled = Object.entries(this.options.configuration.plugins)
      .filter(([, entry]) => !entry.enabled)
      .map(([id]) => ({
        id,
        version: '',
        state: 'disabled' as const,
        pid: undefined,
        restarts: 0,
        lastError: undefined,
        counters: {},
      }));
    return [...running, ...disabled];
  }

  private prepare(plugin: PluginPackage, tickets: TicketOffice): Hosted {
    const { stateDirectory, coreVersion, clock, logger, times } = this.options;
    const grant = new Grant(plugin.manifest, plugin.entry.grant);
    const process = new PluginProcess({
      plugin,
      grant,
      dataDirectory: join(stateDirectory, 'plugins', plugin.manifest.id),
      ticketSocket: tickets.path,
      coreVersion,
      clock,
      logger,
      times,
      handle: (method, argument, signal) => this.handle(plugin, grant, method, argument, signal),
    });
    return { plugin, grant, process };
  }

  /** Every call of every plugin passes here. */
  private async handle(
    plugin: PluginPackage,
    grant: Grant,
    method: string,
    argument: unknown,
    signal: AbortSignal,
  ): Promise<unknown> {
    switch (method) {
      case 'peering.open':
        return this.open(plugin, grant, argument, signal);
      case 'peering.route': {
        const { host, port } = asRecord(argument);
        if (typeof host !== 'string' || typeof port !== 'number') throw badCall(plugin, method);
        grant.demand(
          `${port === 443 ? 'https' : 'http'}://${host}${port === 443 || port === 80 ? '' : `:${port}`}/`,
        );
        return this.options.transfer.route(host, port);
      }
      case 'peering.find':
      case 'peering.publish':
      case 'peering.upload':
      case 'peering.announce':
      case 'peering.onAnnouncement':
      case 'election.state':
      case 'election.onChange':
      case 'election.resign':
      case 'status.status':
      case 'status.peers':
      case 'status.downloads':
      case 'programs.run':
      case 'commands.onCommand':
      case 'commands.answer':
        throw new CodedError('E_NOT_AVAILABLE', `this core does not offer ${method} yet`);
      default:
        throw badCall(plugin, method);
    }
  }

  private async open(
    plugin: PluginPackage,
    grant: Grant,
    argument: unknown,
    signal: AbortSignal,
  ): Promise<OpenReply> {
    const request = asRecord(argument);
    if (typeof request['url'] !== 'string') throw badCall(plugin, 'peering.open');
    const url = plainUrl(request['url']);
    grant.demand(url);
    const service = this.serviceFor(plugin, url);
    const response = await this.options.transfer.open(service, {
      ...request,
      signal,
    } as unknown as ResourceRequest);
    grant.counters.add(`requests-${response.source}`);
    if (signal.aborted) await response.body[Symbol.asyncIterator]().return?.();
    return this.reply(response, request);
  }

  /** The plugin whose patterns fit best names the service, whoever asks. */
  private serviceFor(asking: PluginPackage, url: string): string {
    let best = { id: asking.manifest.id, precedence: -1 };
    for (const { plugin, grant } of this.hosted) {
      const precedence = grant.precedence(url) ?? -1;
      if (precedence > best.precedence) best = { id: plugin.manifest.id, precedence };
    }
    return best.id;
  }

  private async reply(
    response: ResourceResponse,
    request: Record<string, unknown>,
  ): Promise<OpenReply> {
    const { status, headers, source, sizeBytes, sha256, body } = response;
    const head = { status, headers, source, sizeBytes, sha256 };
    const lengthBytes = Math.min(Number(request['lengthBytes'] ?? Infinity), sizeBytes ?? Infinity);
    const atHand = source === 'hit' || source === 'revalidated' || source === 'stale';
    if (atHand && lengthBytes <= INLINE_BYTES_MAX) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      return { ...head, inline: Buffer.concat(chunks) };
    }
    if (this.tickets === undefined) throw new CodedError('E_STOPPING', 'the core is stopping');
    return { ...head, ticket: this.tickets.issue(body) };
  }
}

/** The URL that will be fetched: what is judged must not be written in another way. */
function plainUrl(text: string): string {
  try {
    const url = new URL(text);
    url.hash = '';
    return url.href;
  } catch {
    return text;
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function badCall(plugin: PluginPackage, method: string): CodedError {
  return new CodedError(
    'E_CALL_UNKNOWN',
    `plugin ${plugin.manifest.id} called ${method.slice(0, 64)} wrongly`,
    {
      expected: 'a method of an injected service with its arguments',
      action: 'check that the SDK and the core have fitting versions',
    },
  );
}
