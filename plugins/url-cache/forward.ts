/**
 * Requests that no cache may answer: carried to the origin as they are, body and answer streamed.
 *
 * Every method but GET and HEAD, GETs with a body, conditions that only an origin may evaluate,
 * and, as the way out, GETs for which the core failed. Nothing is stored. Invariants: the address
 * comes from `PeeringService.route()`, the `Host` from the URL; an answer that breaks off cuts the
 * client's connection.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { CodedError } from '@peerage/sdk';
import { CACHE_STATUS_HEADER, extendedStatus, statusOfForward } from './cache-status.js';
import { dial, secure } from './dial.js';
import type { Exchange, Services } from './exchange.js';
import {
  extendedVia,
  type HeaderPairs,
  hasBody,
  headerValue,
  passingRequestHeaders,
  passingResponseHeaders,
  setHead,
} from './headers.js';
import { IDLE_TIMEOUT_MS } from './limits.js';
import { INTEGRITY_HEADER } from './policy.js';
import { pump } from './pump.js';

/** Why a request is carried instead of answered from the cache. */
export interface ForwardReason {
  readonly reason: 'method' | 'request' | 'bypass';
  readonly detail?: string;
}

/** Carries a request to its origin and the answer back. */
export async function forward(
  services: Services,
  exchange: Exchange,
  why: ForwardReason,
): Promise<void> {
  const { url, request, signal } = exchange;
  refuseTrace(request);
  const isSecure = url.protocol === 'https:';
  const port = url.port === '' ? (isSecure ? 443 : 80) : Number(url.port);
  const authority = { host: url.hostname, port };
  const plain = await dial(services, authority, signal);
  const socket = isSecure ? await secure(plain, authority, signal) : plain;
  const destroy = () => socket.destroy();
  signal.addEventListener('abort', destroy, { once: true });
  try {
    const upstream = openRequest(services, exchange, socket);
    const answer = await exchangeOf(request, upstream);
    await sendAnswer(services, exchange, answer, why);
  } finally {
    signal.removeEventListener('abort', destroy);
    socket.destroy();
  }
}

/** TRACE would show a script the client's credentials. */
function refuseTrace(request: IncomingMessage): void {
  if (request.method !== 'TRACE') return;
  throw new CodedError('E_METHOD_UNSUPPORTED', 'TRACE is not forwarded', {
    action: 'trace from the client directly',
  });
}

function openRequest(services: Services, exchange: Exchange, socket: Socket): ClientRequest {
  const { url, request } = exchange;
  const headers: Record<string, string> = {
    host: url.host,
    ...passingRequestHeaders(request.headers),
  };
  delete headers[INTEGRITY_HEADER];
  headers['via'] = extendedVia(headers['via'], request.httpVersion, services.pseudonym);
  // Named explicitly: for methods that usually have no body Node would send it unframed.
  if (request.headers['transfer-encoding'] !== undefined) {
    headers['transfer-encoding'] = 'chunked';
    delete headers['content-length'];
  }
  return httpRequest({
    method: request.method ?? 'GET',
    path: `${url.pathname}${url.search}`,
    headers,
    setHost: false,
    timeout: IDLE_TIMEOUT_MS,
    createConnection: () => socket,
  });
}

/** Sends the request; the answer may come before all of the request's body is sent. */
function exchangeOf(request: IncomingMessage, upstream: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) =>
      reject(
        new CodedError('E_ORIGIN_UNREACHABLE', 'the origin broke off', {
          action: 'try again later',
          cause,
        }),
      );
    upstream.once('response', resolve);
    upstream.on('error', fail);
    upstream.once('close', () => fail(new Error('closed')));
    upstream.once('timeout', () => upstream.destroy(new Error('timeout')));
    // Not `pipeline`: it would cut the client off when an origin answers before it read it all.
    if (hasBody(request)) request.pipe(upstream);
    else upstream.end();
  });
}

async function sendAnswer(
  services: Services,
  exchange: Exchange,
  answer: IncomingMessage,
  why: ForwardReason,
): Promise<void> {
  const { request, response, signal } = exchange;
  const pairs = passingResponseHeaders(pairsOf(answer.rawHeaders));
  const status = statusOfForward(why.reason, why.detail);
  setHead(response, answer.statusCode ?? 502, [
    ...pairs.filter(([name]) => name !== 'via' && name !== CACHE_STATUS_HEADER),
    ['via', extendedVia(headerValue(pairs, 'via'), answer.httpVersion, services.pseudonym)],
    [CACHE_STATUS_HEADER, extendedStatus(headerValue(pairs, CACHE_STATUS_HEADER), status)],
  ]);
  const isBare = answer.statusCode === 204 || answer.statusCode === 304;
  if (isBare || request.method === 'HEAD') {
    answer.resume();
    response.end();
    return;
  }
  // Node itself checks the answer's length and throws from the iterator if it falls short.
  await pump(answer, response, { lengthBytes: undefined, signal });
}

function pairsOf(raw: readonly string[]): HeaderPairs {
  const pairs: Array<readonly [string, string]> = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    pairs.push([raw[index] ?? '', raw[index + 1] ?? '']);
  }
  return pairs;
}
