/**
 * The few pages of our own on the proxy's port: what this is, and how clients find it.
 *
 * `/proxy.pac` for browsers, `/apt-proxy-detect` for apt, `/` for people. They name the address
 * that the client reached us by, so they are right on a wildcard listener too.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CodedError } from '@peerage/sdk';
import { CACHE_STATUS_HEADER, statusOfOwn } from './cache-status.js';

/** The address in the shipped script, replaced when it is served. */
const SHIPPED_ADDRESS = '127.0.0.1:6516';

interface Page {
  readonly type: string;
  readonly text: string;
}

export class OwnPages {
  private readonly detectScript: string;

  constructor(detectScript: string) {
    this.detectScript = detectScript;
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const page = isRead ? this.page(request.url ?? '/', reachedBy(request)) : undefined;
    if (page === undefined) {
      throw new CodedError('E_NOT_FOUND', 'this is a proxy, it has no such page', {
        expected: '/, /proxy.pac, /apt-proxy-detect, or a request with a whole URL',
        action: 'set this address as the HTTP proxy of the client',
      });
    }
    response.statusCode = 200;
    response.setHeader('content-type', page.type);
    response.setHeader('content-length', Buffer.byteLength(page.text));
    response.setHeader('cache-control', 'no-store');
    response.setHeader(CACHE_STATUS_HEADER, statusOfOwn('own-page'));
    response.end(page.text);
  }

  private page(path: string, address: string): Page | undefined {
    const script = this.detectScript.replaceAll(SHIPPED_ADDRESS, address);
    switch (path) {
      case '/':
        return { type: 'text/plain; charset=utf-8', text: greeting(address) };
      case '/proxy.pac':
        return { type: 'application/x-ns-proxy-autoconfig', text: autoConfiguration(address) };
      case '/apt-proxy-detect':
        return { type: 'text/x-shellscript; charset=utf-8', text: script };
      default:
        return undefined;
    }
  }
}

function reachedBy({ socket }: IncomingMessage): string {
  const address = (socket.localAddress ?? '127.0.0.1').replace(/^::ffff:/, '');
  const host = address.includes(':') ? `[${address}]` : address;
  return `${host}:${socket.localPort ?? 0}`;
}

/** Only http: through us: https: would be an opaque tunnel, slower and never shared. */
function autoConfiguration(address: string): string {
  return `// Peerage URL cache
function FindProxyForURL(url, host) {
  if (url.substring(0, 5) !== 'http:' || isPlainHostName(host) || host === '127.0.0.1') {
    return 'DIRECT';
  }
  return 'PROXY ${address}; DIRECT';
}
`;
}

function greeting(address: string): string {
  return `Peerage URL cache

This is a caching HTTP proxy. What it fetches from the Internet it shares with the LAN.

  curl     curl --proxy http://${address} http://example.org/
  apt      Acquire::http::Proxy "http://${address}";
           or, going on when the proxy is down: save /apt-proxy-detect as an executable file and
           set Acquire::http::Proxy-Auto-Detect to its path
  npm      npm config set registry http://127.0.0.1:PORT/   (PORT of a mirror, see the README)
  browser  http://${address}/proxy.pac
`;
}
