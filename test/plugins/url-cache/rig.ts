/** A running URL cache for one test, and clients for it: Node's own, and bare sockets. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Disposable, type Log, PluginContext } from '@peerage/sdk';
import UrlCachePlugin from '@peerage/url-cache/plugin.js';
import type { UrlCacheSettings } from '@peerage/url-cache/settings.js';
import { FakePeering } from './fake-peering.js';

export const DEFAULTS: UrlCacheSettings = {
  listen: { address: '127.0.0.1', port: 0 },
  connectPorts: [443, 80],
  mirrors: [],
  names: [],
  rules: [],
  maxConnections: 64,
};

export class TestContext extends PluginContext<UrlCacheSettings> {
  override readonly id = 'url-cache';
  override readonly dataDirectory = '/nonexistent';
  override readonly coreVersion = '0.1.0';
  override readonly subscriptions: Disposable[] = [];
  override readonly settings: UrlCacheSettings;
  readonly lines: string[] = [];
  override readonly log: Log = {
    info: (event) => void this.lines.push(event),
    warn: (event) => void this.lines.push(event),
    error: (event) => void this.lines.push(event),
  };

  constructor(settings: Partial<UrlCacheSettings> = {}) {
    super();
    this.settings = { ...DEFAULTS, ...settings };
  }

  async dispose(): Promise<void> {
    for (const subscription of this.subscriptions.reverse()) await subscription.dispose();
  }
}

/** A cache in front of a fake peering service. */
export class Rig {
  readonly peering = new FakePeering();
  readonly plugin: UrlCachePlugin;
  private readonly context: TestContext;
  private readonly others: Array<() => void> = [];

  private constructor(settings: Partial<UrlCacheSettings>) {
    this.context = new TestContext(settings);
    this.plugin = new UrlCachePlugin(this.peering, this.context);
  }

  static async start(settings: Partial<UrlCacheSettings> = {}): Promise<Rig> {
    const rig = new Rig(settings);
    await rig.plugin.activate();
    return rig;
  }

  /** The port of the proxy, or of a mirror by its place in the settings. */
  port(mirror?: number): number {
    const listener = this.plugin.listeners[mirror === undefined ? 0 : mirror + 1];
    if (listener === undefined) throw new Error('no such listener');
    return listener.port;
  }

  get(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
    return ask(this.port(), url, { headers, method });
  }

  /** Sends bytes on a bare connection to the proxy; resolves with all that comes back. */
  raw(...parts: ReadonlyArray<string | Uint8Array>): Promise<string> {
    return raw(this.port(), ...parts);
  }

  /** A server of the test, closed with the rig. */
  async serve(server: Server): Promise<number> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket));
    this.others.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const place = server.address();
    if (typeof place !== 'object' || place === null) throw new Error('not bound');
    return place.port;
  }

  async stop(): Promise<void> {
    for (const close of this.others) close();
    await this.context.dispose();
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** One request with `target` as its request target, on a connection of its own. */
export async function ask(port: number, target: string, how: Ask = {}): Promise<Answer> {
  const sent = open(port, target, how);
  sent.end(how.body);
  const answer = await response(sent);
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    body: await text(answer),
  };
}

/** Starts a request; the caller ends it. */
export function open(port: number, target: string, { method, headers }: Ask = {}): ClientRequest {
  const host = URL.canParse(target) ? new URL(target).host : `127.0.0.1:${port}`;
  return request({
    host: '127.0.0.1',
    port,
    path: target,
    method: method ?? 'GET',
    agent: false,
    headers: { host, ...headers },
  });
}

export function response(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once('response', resolve).once('error', reject);
  });
}

/** Sends bytes on a bare connection; resolves with all that came back when it is closed. */
export function raw(port: number, ...parts: ReadonlyArray<string | Uint8Array>): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', () => socket.destroy());
    socket.once('close', () => resolve(Buffer.concat(received).toString('latin1')));
    for (const part of parts) socket.write(part);
  });
}

/** A server that sends back what it gets, after a greeting. */
export function echoServer(): Server {
  return createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
}
