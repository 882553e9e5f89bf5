/**
 * The URL cache: a forward proxy and mirrors for ordinary clients, in front of the peering service.
 *
 * This file only wires: it opens the listeners and hands each its flow. What a request goes
 * through: listen.ts ─► proxy.ts (repeat.ts, or target.ts, own-pages.ts) ─► serve.ts or forward.ts; a CONNECT:
 * listen.ts ─► tunnel.ts. The core, behind `PeeringService`, owns freshness, storage and peers.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { injectable, PeeringService, Plugin, PluginContext } from '@peerage/sdk';
import { Connections } from './connections.js';
import type { Services } from './exchange.js';
import { type Listener, type ListenerOptions, openListener } from './listen.js';
import { mirrorTargets, notAProxy } from './mirror.js';
import { OwnAddresses } from './own-addresses.js';
import { OwnNames } from './own-names.js';
import { OwnPages } from './own-pages.js';
import { PolicyBook, shippedRules } from './policy.js';
import { proxyTargets, requestHandler } from './proxy.js';
import { Refusals } from './refuse.js';
import { Repeats } from './repeat.js';
import type { ListenSettings, MirrorSettings, UrlCacheSettings } from './settings.js';
import { parseUpstream } from './target.js';
import { Tunnels } from './tunnel.js';

@injectable()
export default class UrlCachePlugin extends Plugin {
  /** The listeners, the proxy's first, then those of the mirrors in the order of the settings. */
  readonly listeners: Listener[] = [];
  readonly refusals: Refusals;
  private readonly peering: PeeringService;
  private readonly context: PluginContext<UrlCacheSettings>;

  constructor(peering: PeeringService, context: PluginContext<UrlCacheSettings>) {
    super();
    this.peering = peering;
    this.context = context;
    this.refusals = new Refusals(context.log);
  }

  override async activate(): Promise<void> {
    const { settings, log } = this.context;
    const upstreams = settings.mirrors.map(({ upstream }) => parseUpstream(upstream));
    const services: Services = {
      peering: this.peering,
      policies: new PolicyBook([...(await shippedRules()), ...settings.rules]),
      pseudonym: `peerage-${randomBytes(6).toString('hex')}`,
      own: new OwnAddresses(),
      refusals: this.refusals,
      log,
    };
    await this.openProxy(services);
    for (const [index, mirror] of settings.mirrors.entries()) {
      const upstream = upstreams[index];
      if (upstream !== undefined) await this.openMirror(services, mirror, upstream);
    }
  }

  private async openProxy(services: Services): Promise<void> {
    const { settings } = this.context;
    const connections = new Connections();
    const tunnels = new Tunnels(services, connections, settings.connectPorts);
    const script = new URL('../clients/apt-proxy-detect', import.meta.url);
    const pages = new OwnPages(await readFile(script, 'utf8'));
    const targets = proxyTargets(services, tunnels, pages, new OwnNames(settings.names));
    await this.open(services, settings.listen, {
      connections,
      onRequest: requestHandler(services, connections, targets, new Repeats(false)),
      onConnect: (...connect) => void tunnels.open(...connect),
    });
  }

  private async openMirror(
    services: Services,
    mirror: MirrorSettings,
    upstream: URL,
  ): Promise<void> {
    const connections = new Connections();
    const address = mirror.address ?? this.context.settings.listen.address;
    const names = new OwnNames(this.context.settings.names);
    const targets = mirrorTargets(upstream, services.own, names);
    await this.open(
      services,
      { address, port: mirror.port },
      {
        connections,
        onRequest: requestHandler(services, connections, targets, new Repeats(true)),
        onConnect: (_request, socket) => services.refusals.answerSocket(socket, notAProxy()),
      },
    );
  }

  private async open(
    services: Services,
    place: ListenSettings,
    flow: Pick<ListenerOptions, 'connections' | 'onRequest' | 'onConnect'>,
  ): Promise<void> {
    const { maxConnections } = this.context.settings;
    const { refusals } = services;
    const listener = await openListener({ ...place, ...flow, maxConnections, refusals });
    this.context.subscriptions.push(listener);
    this.listeners.push(listener);
    services.own.add(listener.address, listener.port);
    services.log.info('listening', { address: listener.address, port: listener.port });
  }
}
