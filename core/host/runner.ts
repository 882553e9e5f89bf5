/**
 * The program of a plugin's process: waits for `start`, constructs the plugin's class with the
 * services that its constructor names, activates it, and ends when the core says so or is gone.
 *
 * Nothing here is a check: a plugin could talk to the core past this program, so all checks are in
 * the core. What is here makes honest plugins work and their mistakes readable.
 */
import 'reflect-metadata';
import {
  CodedError,
  CommandService,
  type Disposable,
  ElectionService,
  errorCode,
  PeeringService,
  type Plugin,
  PluginContext,
  ProgramService,
  Schedule,
  StatusService,
  Storage,
} from '@peerage/sdk';
import { construct, type Offer } from '@peerage/sdk/construct.js';
import { PlannedSchedule } from '@peerage/sdk/planned-schedule.js';
import { type StartMessage, type ToPlugin, toWireError } from './channel.js';
import { listenOnHanded } from './handed-socket.js';
import { Line, send } from './inside/line.js';
import { guardListening } from './inside/listen-guard.js';
import { RemotePeering } from './inside/peering.js';
import { RemoteCommands, RemoteElection, RemotePrograms, RemoteStatus } from './inside/services.js';
import { FileStorage } from './inside/storage.js';
import { processTimers } from './inside/timers.js';

const line = new Line();

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

/** What constructors may name by type. */
function offers(message: StartMessage, context: PluginContext): readonly Offer[] {
  const { ticketSocket, dataDirectory } = message;
  return [
    [PluginContext, context],
    [PeeringService, new RemotePeering(line, ticketSocket, dataDirectory)],
    [ElectionService, new RemoteElection(line)],
    [StatusService, new RemoteStatus(line)],
    [ProgramService, new RemotePrograms(line)],
    [CommandService, new RemoteCommands(line)],
    [Storage, new FileStorage(dataDirectory)],
    [
      Schedule,
      new PlannedSchedule({
        timers: processTimers,
        onFailure: (job, error) => context.log.warn('job-failed', { job, error }),
      }),
    ],
  ];
}

async function start(message: StartMessage): Promise<void> {
  listenOnHanded(message.sockets);
  guardListening(message.listen);
  const context = makeContext(message, subscriptions);
  const module = await load(message);
  // A CommonJS module's class is one level deeper.
  const outer = module.default;
  const found = typeof outer === 'object' ? (outer as { default?: unknown })?.default : outer;
  plugin = construct(found, message.id, offers(message, context));
  await plugin.activate();
}

/** The plugin's main module. @throws CodedError `E_PLUGIN_LOAD` where something is not there */
async function load({ main, id }: StartMessage): Promise<{ default?: unknown }> {
  try {
    return (await import(main)) as { default?: unknown };
  } catch (cause) {
    const code = errorCode(cause);
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'ERR_ACCESS_DENIED') throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CodedError('E_PLUGIN_LOAD', `${id}: ${why.slice(0, 300)}`, {
      expected: 'its main module and all packages of its dependencies',
      action: 'npm install in its directory, build it, and declare what it imports',
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
    case 'reply':
    case 'event':
      line.receive(message);
      break;
  }
});
// No orphans: without a core there is nothing to do.
process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
send({ type: 'ready' });
