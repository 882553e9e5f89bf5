/**
 * Targets: what a request line asks for, as a URL to fetch.
 *
 * First step of every flow. Four forms reach us: absolute (`GET http://host/path`, the proxy's
 * own), the authority of CONNECT (`host:port`), and a bare path, which means a page of our own on
 * the proxy's port, a path of the upstream on a mirror's port, and a path of the CONNECT's
 * destination inside a tunnel. Invariants: a URL that leaves this file is http or https, without
 * credentials and fragment; a mirror's stays below its upstream.
 */
import type { IncomingMessage } from 'node:http';
import { CodedError } from '@peerage/sdk';

/** The destination of a CONNECT. */
export interface Authority {
  /** As in a URL: lower case, IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
}

const EXPECTED_URL = 'http://host[:port]/path, without user name and password';

/** Splits `host:port` strictly. */
export function parseAuthority(text: string): Authority {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^\s/?#@\\:[\]]+):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  const url = match === null ? null : parseUrl(`http://${match[1]}/`);
  if (url === null || !(port >= 1 && port <= 65_535)) {
    throw new CodedError('E_HOST_INVALID', `not a destination: ${shown(text)}`, {
      expected: 'CONNECT host:port',
    });
  }
  return { host: url.hostname, port };
}

/** Is it a bare path, as a client sends it to an origin? */
export function isOriginForm(request: IncomingMessage): boolean {
  return (request.url ?? '').startsWith('/');
}

/** The URL of an absolute-form request. */
export function absoluteTarget(request: IncomingMessage): URL {
  return checkedUrl(request.url ?? '');
}

/** The URL of a request inside the tunnel of a CONNECT: its own host, the tunnel's port. */
export function innerTarget(request: IncomingMessage, outer: Authority): URL {
  if (!isOriginForm(request)) return absoluteTarget(request);
  const host = request.headers.host ?? outer.host;
  const name = parseUrl(`http://${host}/`);
  if (name === null || !/^[^\s/?#@\\]+$/.test(host)) {
    throw new CodedError('E_HOST_INVALID', `not a host: ${shown(host)}`, {
      expected: 'Host: name[:port]',
    });
  }
  return checkedUrl(`http://${name.hostname}:${outer.port}${request.url ?? '/'}`);
}

/** The URL of a mirror's upstream that a path stands for. */
export function mirrorTarget(path: string, upstream: URL): URL {
  const base = upstream.pathname.replace(/\/$/, '');
  const url = checkedUrl(`${upstream.origin}${base}${path}`);
  if (url.origin !== upstream.origin || !`${url.pathname}/`.startsWith(`${base}/`)) {
    throw new CodedError('E_URL_INVALID', `the path leaves the upstream: ${shown(path)}`, {
      expected: `a path below ${upstream.href}`,
    });
  }
  return url;
}

/** The upstream of a mirror as the settings name it. */
export function parseUpstream(text: string): URL {
  const url = parseUrl(text);
  const isPlain = url !== null && url.search === '' && url.hash === '' && isHttp(url);
  if (url !== null && isPlain && url.username === '' && url.password === '') return url;
  throw new CodedError('E_MIRROR_INVALID', `not an upstream of a mirror: ${shown(text)}`, {
    expected: 'http://host/ or https://host/path/, without credentials, query and fragment',
    action: 'correct "mirrors" in the settings of url-cache',
  });
}

/** Refuses a request without a host, or with two, which two readers could take differently. */
export function refuseWrongHost(request: IncomingMessage): void {
  const names = request.rawHeaders.filter((_, index) => index % 2 === 0);
  const count = names.filter((name) => name.toLowerCase() === 'host').length;
  if (count === 1 || (count === 0 && request.httpVersion === '1.0')) return;
  throw new CodedError('E_HOST_INVALID', `the request has ${count} Host headers`, {
    expected: 'one Host header',
  });
}

function checkedUrl(text: string): URL {
  const url = parseUrl(text);
  if (url === null) {
    throw new CodedError('E_URL_INVALID', `not a URL: ${shown(text)}`, { expected: EXPECTED_URL });
  }
  if (!isHttp(url)) {
    throw new CodedError('E_SCHEME_UNSUPPORTED', `cannot fetch ${shown(url.protocol)} URLs`, {
      expected: EXPECTED_URL,
      action: 'let the client fetch it directly',
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new CodedError('E_URL_INVALID', 'the URL holds a user name or a password', {
      expected: EXPECTED_URL,
      action: 'send them in an Authorization header',
    });
  }
  url.hash = '';
  return url;
}

function isHttp(url: URL): boolean {
  return url.protocol === 'http:' || url.protocol === 'https:';
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

/** What a stranger sent, short enough to be repeated. */
function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
