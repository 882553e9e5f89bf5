/**
 * The page's HTTP server: static files, the live feed, two looks on demand, the login. Only looks:
 * nothing of the node can be changed here. Requests for other host names are refused, so that no
 * page of the Internet can read it through a name that leads here (DNS rebinding).
 */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { type AddressInfo, isIP } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError, errorCode, type StatusService } from '@peerage/sdk';
import type { Feed } from './feed.js';
import type { Sessions } from './session.js';

/** Connections at once; a browser keeps six for a page. */
const CONNECTIONS_MAX = 128;
/** A password and its field's name. */
const LOGIN_BYTES_MAX = 1024;
const HEADERS = {
  'content-security-policy': "default-src 'self'; frame-ancestors 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
}

export interface ServerParts {
  readonly status: StatusService;
  readonly sessions: Sessions;
  readonly feed: Feed;
}

export class DashboardServer {
  private readonly parts: ServerParts;
  private readonly assets: ReadonlyMap<string, Asset>;
  private readonly server: Server;

  private constructor(parts: ServerParts, assets: ReadonlyMap<string, Asset>) {
    this.parts = parts;
    this.assets = assets;
    this.server = createServer((request, response) => void this.answer(request, response));
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  /** @throws CodedError `E_LISTEN_FAILED` */
  static async open(parts: ServerParts, address: string, port: number): Promise<DashboardServer> {
    const dashboard = new DashboardServer(parts, await loadAssets());
    await new Promise<void>((resolve, reject) => {
      dashboard.server.once('error', (cause) => {
        const action = 'choose another address or port in plugins.dashboard.settings';
        const what = `the dashboard cannot listen on ${address}:${port}`;
        reject(new CodedError('E_LISTEN_FAILED', what, { action, cause }));
      });
      dashboard.server.listen(port, address, resolve);
    });
    return dashboard;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async dispose(): Promise<void> {
    this.parts.feed.close();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://local');
      if (!isOwnName(request.headers.host)) return refuse(response, 421, 'another host name');
      if (request.method === 'POST' && pathname === '/login')
        return await this.login(request, response);
      if (request.method !== 'GET') return refuse(response, 405, 'only looking');
      if (!this.parts.sessions.allows(request.headers.cookie))
        return this.askIn(pathname, response);
      if (pathname === '/events') {
        if (!this.parts.feed.add(response)) refuse(response, 503, 'too many look');
        return;
      }
      if (pathname === '/cache') return await this.look(response, 'cache', undefined);
      if (pathname === '/why')
        return await this.look(response, 'why', searchParams.get('url') ?? undefined);
      this.send(pathname === '/' ? '/index.html' : pathname, response);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else refuse(response, 500, errorCode(error));
    }
  }

  private async look(response: ServerResponse, view: 'cache' | 'why', url: string | undefined) {
    const rows = await this.parts.status.look(view, url);
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(rows));
  }

  /** Without a session there is the login page, and what it needs, alone. */
  private askIn(path: string, response: ServerResponse): void {
    if (path === '/style.css') return this.send(path, response);
    if (path === '/') return this.send('/login.html', response);
    refuse(response, 401, 'log in first');
  }

  private async login(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A body that is too long ends the request, and with it what is known of its connection.
    const { remoteAddress = '' } = request.socket;
    const form = new URLSearchParams((await bodyOf(request)).toString('utf8'));
    const opened = this.parts.sessions.open(form.get('password') ?? '', remoteAddress);
    if (opened === 'later') return refuse(response, 429, 'too many wrong passwords: wait a minute');
    if (opened === 'wrong') return refuse(response, 403, 'wrong password');
    response.writeHead(303, { location: '/', 'set-cookie': opened.cookie }).end();
  }

  private send(path: string, response: ServerResponse): void {
    const asset = this.assets.get(path);
    if (asset === undefined) return refuse(response, 404, 'there is no such page');
    response.writeHead(200, { 'content-type': asset.type, 'cache-control': 'no-cache' });
    response.end(asset.bytes);
  }
}

/** The page's own files, and the plot library as its package has it. */
async function loadAssets(): Promise<Map<string, Asset>> {
  const web = fileURLToPath(new URL('../web/', import.meta.url));
  const plot = dirname(createRequire(import.meta.url).resolve('uplot/package.json'));
  const types = {
    html: 'text/html; charset=utf-8',
    css: 'text/css; charset=utf-8',
    js: 'text/javascript; charset=utf-8',
  };
  const files: Array<[path: string, file: string, type: keyof typeof types]> = [
    ['/index.html', join(web, 'index.html'), 'html'],
    ['/login.html', join(web, 'login.html'), 'html'],
    ['/style.css', join(web, 'style.css'), 'css'],
    ['/page.js', join(web, 'page.js'), 'js'],
    ['/tables.js', join(web, 'tables.js'), 'js'],
    ['/plot.js', join(web, 'plot.js'), 'js'],
    ['/uplot.js', join(plot, 'dist', 'uPlot.esm.js'), 'js'],
    ['/uplot.css', join(plot, 'dist', 'uPlot.min.css'), 'css'],
  ];
  const loaded = files.map(async ([path, file, type]) => {
    return [path, { type: types[type], bytes: await readFile(file) }] as const;
  });
  return new Map(await Promise.all(loaded));
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${why}\n`);
}

/** An address, or this machine's own name. */
function isOwnName(host = ''): boolean {
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  const own = hostname().toLowerCase();
  return isIP(name) > 0 || name === 'localhost' || name === own || name === `${own}.local`;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > LOGIN_BYTES_MAX) return Buffer.alloc(0);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
