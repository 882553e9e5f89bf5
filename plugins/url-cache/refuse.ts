/**
 * Refusals: how an error becomes an answer.
 *
 * Never 403 or 429: freshclam takes them for a ban and stores a cool-down of up to 24 hours. A
 * refusal that can no longer be an answer (the head is out) cuts the connection, so that a client
 * never takes a part for the whole. Each refusal is counted by its code; the log gets the 1st,
 * 2nd, 4th, 8th … of a code, so that a flood does not flood the log.
 */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { CodedError, describeError, errorCode, type Log } from '@peerage/sdk';
import { CACHE_STATUS_HEADER, statusOfOwn } from './cache-status.js';
import { hasBody } from './headers.js';
import { LINGER_MS } from './limits.js';

const STATUS_BY_CODE: ReadonlyMap<string, number> = new Map([
  ['E_URL_INVALID', 400],
  ['E_SCHEME_UNSUPPORTED', 400],
  ['E_HOST_INVALID', 400],
  ['E_NOT_A_PROXY', 400],
  ['E_REQUEST_INVALID', 400],
  ['E_NOT_FOUND', 404],
  ['E_REQUEST_TIMEOUT', 408],
  ['E_EXPECTATION', 417],
  ['E_HOST_FOREIGN', 421],
  ['E_HEADERS_TOO_LARGE', 431],
  ['E_METHOD_UNSUPPORTED', 501],
  ['E_BUSY', 503],
  ['E_CANCELLED', 503],
  ['E_RESOURCE_CHANGED', 503],
  ['E_LOOP', 508],
]);

/** Any other code: something between us and the origin went wrong. */
const STATUS_OTHERWISE = 502;

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  408: 'Request Timeout',
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  508: 'Loop Detected',
};

/** Codes counted apart; any further ones are counted together, so that the table stays small. */
const MAX_CODES = 64;

export class Refusals {
  private readonly counts = new Map<string, number>();
  private readonly log: Log;

  constructor(log: Log) {
    this.log = log;
  }

  /** How often this code was refused so far. */
  count(code: string): number {
    return this.counts.get(code) ?? 0;
  }

  note(error: unknown): void {
    const own = errorCode(error);
    const code = this.counts.has(own) || this.counts.size < MAX_CODES ? own : 'E_OTHER';
    const count = this.count(code) + 1;
    this.counts.set(code, count);
    if ((count & (count - 1)) !== 0) return;
    this.log.warn('refused', { code: own, count, reason: describeError(error) });
  }

  /** Answers a request with an error; cuts the connection if the answer has already begun. */
  answer(response: ServerResponse, error: unknown): void {
    if (response.destroyed || response.socket?.destroyed === true) return;
    this.note(error);
    if (response.headersSent) {
      cutOff(response);
      return;
    }
    const { status, headers, body } = refusal(error);
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    response.statusCode = status;
    for (const [name, value] of headers) response.setHeader(name, value);
    // An upload that nobody reads would otherwise be taken for the next request.
    if (!response.req.complete && hasBody(response.req)) response.setHeader('connection', 'close');
    response.end(body);
  }

  /** Answers on a bare connection, where there is no request (yet, or any more), and closes it. */
  answerSocket(socket: Duplex, error: unknown): void {
    this.note(error);
    if (socket.destroyed || !socket.writable) {
      socket.destroy();
      return;
    }
    const { status, headers, body } = refusal(error);
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const line = `HTTP/1.1 ${status} ${REASONS[status] ?? 'Refused'}\r\n`;
    socket.end(`${line}${lines}connection: close\r\n\r\n${body}`);
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  }
}

interface Refusal {
  readonly status: number;
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly body: string;
}

function refusal(error: unknown): Refusal {
  const code = tokenOf(errorCode(error));
  const reason = error instanceof CodedError ? describeError(error) : 'an unexpected error';
  const body = `${code}: ${reason}\n`;
  return {
    status: STATUS_BY_CODE.get(code) ?? STATUS_OTHERWISE,
    headers: [
      ['content-type', 'text/plain; charset=utf-8'],
      ['content-length', String(Buffer.byteLength(body))],
      ['cache-control', 'no-store'],
      ['x-content-type-options', 'nosniff'],
      ['peerage-error', code],
      [CACHE_STATUS_HEADER, statusOfOwn(code)],
    ],
    body,
  };
}

function tokenOf(code: string): string {
  return /^[A-Z][A-Z0-9_]{0,63}$/.test(code) ? code : 'E_INTERNAL';
}

/**
 * Ends an answer in a way that no client can take for its end: without the length or the last
 * chunk that it waits for, or by a reset where the closing of the connection would mean the end.
 */
export function cutOff(response: ServerResponse): void {
  const framed = response.hasHeader('content-length') || response.chunkedEncoding;
  if (framed || response.socket === null) response.destroy();
  else response.socket.resetAndDestroy();
}
