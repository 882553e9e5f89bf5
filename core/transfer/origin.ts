/**
 * Fetching from the Internet: got, streamed, undecoded, to an address that the guard has judged,
 * through the office's own proxy where there is one. Redirects are answers like any other: the
 * client follows them itself, through us.
 */
import { readFileSync } from 'node:fs';
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP } from 'node:net';
import { rootCertificates } from 'node:tls';
import { CodedError } from '@peerage/sdk';
import { type Got, got, type OptionsInit } from 'got';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import type { Headers } from './freshness.js';
import type { AddressGuard } from './guard.js';

/** Time until connected, until the head is there, and between two pieces of the body. */
const TIMEOUTS_MS = {
  lookup: 10_000,
  connect: 10_000,
  secureConnect: 10_000,
  response: 60_000,
  socket: 60_000,
};

/** For a request that must not go out on a connection that was used before. */
const NEW_CONNECTION = { agent: { http: new HttpAgent(), https: new HttpsAgent() } };

export interface OriginOptions {
  readonly guard: AddressGuard;
  /** `http://host:port`, or empty. */
  readonly upstreamProxy: string;
  /** PEM file, or empty. */
  readonly extraCa: string;
}

export interface OriginAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The one header whose values cannot be joined; for the asking client alone. */
  readonly cookies: readonly string[];
  readonly body: AsyncIterable<Buffer>;
  /** Gives the connection up. */
  cancel(): void;
}

export class OriginFetcher {
  private readonly options: OriginOptions;
  private readonly client: Got;

  /** @throws CodedError `E_EXTRA_CA_UNREADABLE` */
  constructor(options: OriginOptions) {
    this.options = options;
    const { upstreamProxy: proxy, extraCa } = options;
    const agents =
      proxy === ''
        ? {}
        : { agent: { http: new HttpProxyAgent(proxy), https: new HttpsProxyAgent(proxy) } };
    const trusted = extraCa === '' ? [] : [...rootCertificates, readExtraCa(extraCa)];
    const trust = extraCa === '' ? {} : { https: { certificateAuthority: trusted } };
    this.client = got.extend({
      decompress: false,
      throwHttpErrors: false,
      followRedirect: false,
      retry: { limit: 0 },
      timeout: TIMEOUTS_MS,
      headers: { 'user-agent': undefined },
      ...agents,
      ...trust,
    } as OptionsInit);
  }

  /**
   * Sends a request; resolves when the head has arrived.
   * @throws CodedError `E_ADDRESS_DENIED`, `E_ORIGIN_UNREACHABLE`
   */
  async fetch(
    method: 'GET' | 'HEAD' | 'POST' | 'PUT',
    url: string,
    headers: Headers,
    body?: Uint8Array,
  ): Promise<OriginAnswer> {
    const target = new URL(url);
    const lookup = await this.pinnedLookup(target.hostname);
    const sent = body === undefined ? {} : { body: Buffer.from(body) };
    const options = { method, headers: { ...headers }, ...sent, ...lookup };
    // Through the office's proxy no connection is kept, and nothing may go past it.
    const direct = this.options.upstreamProxy === '';
    const repeatable = direct && (method === 'GET' || method === 'HEAD');
    try {
      return await this.send(url, options);
    } catch (cause) {
      if (!repeatable || !(cause instanceof IdleConnectionClosed))
        throw unreachable(target.host, cause);
    }
    return await this.send(url, { ...options, ...NEW_CONNECTION }).catch((cause: unknown) => {
      throw unreachable(target.host, cause);
    });
  }

  /** @throws IdleConnectionClosed, or whatever the request ended with */
  private async send(url: string, options: OptionsInit): Promise<OriginAnswer> {
    const stream = this.client.stream(url, { ...options, isStream: true });
    let request: ClientRequest | undefined;
    stream.once('request', (begun: ClientRequest) => {
      request = begun;
    });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      stream.once('response', resolve);
      stream.once('error', (cause: unknown) => {
        const closed = request?.reusedSocket === true && isClosed(cause);
        reject(closed ? new IdleConnectionClosed(String(cause), { cause }) : cause);
      });
    });
    // From here on errors come out of the iteration; without a listener they would end the process.
    stream.on('error', () => undefined);
    return {
      status: response.statusCode ?? 502,
      headers: joinHeaders(response),
      cookies: response.headers['set-cookie'] ?? [],
      body: stream as AsyncIterable<Buffer>,
      cancel: () => stream.destroy(),
    };
  }

  /** The connection goes to the addresses that were judged; an office proxy resolves for itself. */
  private async pinnedLookup(host: string): Promise<Pick<OptionsInit, 'dnsLookup'>> {
    const literal = host.replace(/^\[(.*)\]$/, '$1');
    if (this.options.upstreamProxy !== '' && isIP(literal) === 0) return {};
    const judged = await this.options.guard.resolve(host);
    const answers = judged.map((address) => ({ address, family: isIP(address) === 6 ? 6 : 4 }));
    const [first = { address: '', family: 4 }] = answers;
    const pinned = (_host: string, options: unknown, callback: unknown) => {
      const answer = (typeof options === 'function' ? options : callback) as (
        ...args: unknown[]
      ) => void;
      const all =
        typeof options === 'object' && options !== null && 'all' in options && options.all === true;
      // Not at once: a connection that fails at once would fail before anybody listens for it.
      process.nextTick(() => {
        if (all) answer(null, answers);
        else answer(null, first.address, first.family);
      });
    };
    return this.options.upstreamProxy === '' ? { dnsLookup: pinned } : {};
  }
}

/** A server may close an idle connection just as we send on it: nothing was done then (RFC 9112 §9.3.1). */
class IdleConnectionClosed extends Error {}

function isClosed(cause: unknown): boolean {
  const { code } = cause as { code?: unknown };
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function readExtraCa(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CodedError('E_EXTRA_CA_UNREADABLE', `core.extraCa: ${file} cannot be read`, {
      expected: 'a PEM file of certificates',
      cause,
    });
  }
}

function unreachable(host: string, cause: unknown): CodedError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CodedError('E_ORIGIN_UNREACHABLE', `${host} did not answer: ${why}`, {
    action: 'check the Internet connection, or core.upstreamProxy',
    cause,
  });
}

function joinHeaders(response: IncomingMessage): Headers {
  const joined: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) joined[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return joined;
}
