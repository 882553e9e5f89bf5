/**
 * The program of a plugin's process: waits for `start`, constructs the plugin's class with the
 * services that its constructor names, activates it, and ends when the core says so or is gone.
 *
 * Nothing here is a check: a plugin could talk to the core past this program, so all checks are in
 * the core. What is here makes honest plugins work and their mistakes readable.
 */
import 'reflect-metadata';
import type {
  OriginRoute,
  Provider,
  ResourceRequest,
  ResourceResponse,
  ResourceSource,
} from '@peerage/sdk';
import {
  CodedError,
  type Disposable,
  ElectionService,
  PeeringService,
  Plugin,
  PluginContext,
} from '@peerage/sdk';
import { container } from 'tsyringe';
import {
  fromWireError,
  type OpenReply,
  type StartMessage,
  type ToCore,
  type ToPlugin,
  toWireError,
} from './channel.js';
import { redeem } from './redeem.js';

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

const pending = new Map<number, Pending>();
let nextCall = 1;

function send(message: ToCore): void {
  if (process.connected) process.send?.(message);
}

/** Calls the core; cancelled there when the signal fires. */
function call(
  method: string,
  argument: unknown,
  signal?: ResourceRequest['signal'],
): Promise<unknown> {
  const id = nextCall;
  nextCall += 1;
  return new Promise((resolve, reject) => {
    pending.set(id, { resolve, reject });
    signal?.addEventListener('abort', () => send({ type: 'cancel', id }), { once: true });
    send({ type: 'call', id, method, argument });
  });
}

class RemotePeering extends PeeringService {
  private readonly ticketSocket: string;

  constructor(ticketSocket: string) {
    super();
    this.ticketSocket = ticketSocket;
  }

  override async open(request: ResourceRequest): Promise<ResourceResponse> {
    const { signal, ...plain } = request;
    const reply = (await call('peering.open', plain, signal)) as OpenReply;
    const { inline, ticket, source, ...head } = reply;
    const body = inline === undefined ? redeem(this.ticketSocket, ticket ?? '') : once(inline);
    return { ...head, source: source as ResourceSource, body };
  }

  override route(host: string, port: number): Promise<OriginRoute> {
    return call('peering.route', { host, port }) as Promise<OriginRoute>;
  }
}

class RemoteElection extends ElectionService {
  override provider(): Promise<Provider | undefined> {
    return call('election.provider', undefined) as Promise<Provider | undefined>;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

function makeContext(start: StartMessage, subscriptions: Disposable[]): PluginContext {
  const write =
    (level: 'info' | 'warn' | 'error') =>
    (event: string, fields = {}) => {
      send({ type: 'log', level, event, fields: plain(fields) });
    };
  class Context extends PluginContext {
    override readonly id = start.id;
    override readonly settings = start.settings;
    override readonly dataDirectory = start.dataDirectory;
    override readonly coreVersion = start.coreVersion;
    override readonly log = { info: write('info'), warn: write('warn'), error: write('error') };
    override readonly subscriptions = subscriptions;
  }
  return new Context();
}

/** Fields that survive the channel: errors become code and message. */
function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const pairs = Object.entries(fields).map(([name, value]) => {
    return [name, value instanceof Error ? toWireError(value) : value] as const;
  });
  return JSON.parse(JSON.stringify(Object.fromEntries(pairs))) as Record<string, unknown>;
}

let plugin: Plugin | undefined;
const subscriptions: Disposable[] = [];

type PluginClass = new (...services: never[]) => Plugin;

async function start(message: StartMessage): Promise<void> {
  const context = makeContext(message, subscriptions);
  container.registerInstance(PluginContext as never, context);
  container.registerInstance(PeeringService as never, new RemotePeering(message.ticketSocket));
  container.registerInstance(ElectionService as never, new RemoteElection());
  const module = (await import(message.main)) as { default?: unknown };
  const found = module.default;
  if (typeof found !== 'function') {
    throw new CodedError(
      'E_PLUGIN_SHAPE',
      `${message.id}: its main module exports no class by default`,
      {
        expected: 'export default class … extends Plugin, decorated with @injectable()',
      },
    );
  }
  plugin = construct(found as PluginClass, message.id);
  await plugin.activate();
}

function construct(pluginClass: PluginClass, id: string): Plugin {
  try {
    return container.resolve<Plugin>(pluginClass as never);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    if (!/TypeInfo not known|Cannot inject/.test(text)) throw cause;
    throw new CodedError('E_PLUGIN_INJECTION', `${id}: ${text}`, {
      expected:
        '@injectable() on the class, and services imported as values, not with `import type`',
      cause,
    });
  }
}

async function stop(): Promise<void> {
  try {
    await plugin?.deactivate();
  } finally {
    for (const subscription of subscriptions.splice(0).reverse()) {
      try {
        await subscription.dispose();
      } catch (error) {
        send({
          type: 'log',
          level: 'warn',
          event: 'dispose-failed',
          fields: { ...toWireError(error) },
        });
      }
    }
    process.exit(0);
  }
}

process.on('message', (raw) => {
  const message = raw as ToPlugin;
  switch (message.type) {
    case 'start':
      start(message).then(
        () => send({ type: 'activated' }),
        (error: unknown) => send({ type: 'failed', error: toWireError(error) }),
      );
      break;
    case 'stop':
      void stop();
      break;
    case 'ping':
      send({ type: 'pong', round: message.round });
      break;
    case 'reply': {
      const waiting = pending.get(message.id);
      pending.delete(message.id);
      if (message.error === undefined) waiting?.resolve(message.value);
      else waiting?.reject(fromWireError(message.error));
      break;
    }
  }
});
// No orphans: without a core there is nothing to do.
process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
send({ type: 'ready' });
