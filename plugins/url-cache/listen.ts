/**
 * Listeners: an HTTP server with limits, bound or refused with a reason.
 *
 * Both the proxy and each mirror stand on this. Invariants: no client can hold a connection
 * without sending, send a head without end, or open connections without number; a parse error is
 * one short answer and the end of the connection; closing gives running downloads a moment.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CodedError, type Disposable, errorCode } from '@peerage/sdk';
import type { Connections } from './connections.js';
import * as limits from './limits.js';
import type { RequestHandler } from './proxy.js';
import type { Refusals } from './refuse.js';

export interface ListenerOptions {
  readonly address: string;
  readonly port: number;
  readonly maxConnections: number;
  readonly connections: Connections;
  readonly refusals: Refusals;
  readonly onRequest: RequestHandler;
  /** Takes a CONNECT; `reenter` gives the connection back to the server as a new one. */
  readonly onConnect: (
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    reenter: (socket: Socket) => void,
  ) => void;
}

export interface Listener extends Disposable {
  readonly address: string;
  readonly port: number;
}

/** Opens a listener; resolves when it is bound. */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { connections, refusals } = options;
  const server = createServer({
    maxHeaderSize: limits.MAX_HEADER_BYTES,
    headersTimeout: limits.HEADERS_TIMEOUT_MS,
    requestTimeout: limits.REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: limits.TIMEOUT_CHECK_INTERVAL_MS,
    keepAliveTimeout: limits.KEEP_ALIVE_TIMEOUT_MS,
    // Checked in the flow instead, so that the refusal looks like all others.
    requireHostHeader: false,
    highWaterMark: limits.SOCKET_BUFFER_BYTES,
  });
  server.maxConnections = options.maxConnections;
  server.timeout = limits.IDLE_TIMEOUT_MS;
  server.on('connection', (socket) => connections.admit(socket));
  server.on('request', options.onRequest);
  server.on('checkExpectation', (_request, response) => {
    refusals.answer(response, new CodedError('E_EXPECTATION', 'only 100-continue can be expected'));
  });
  server.on('connect', (request, socket, head) => {
    // The server has let go of the connection: from here on its errors are ours.
    socket.on('error', () => socket.destroy());
    if (!(socket instanceof Socket) || connections.isBusy(socket)) socket.destroy();
    else options.onConnect(request, socket, head, (again) => server.emit('connection', again));
  });
  server.on('drop', () => refusals.note(new CodedError('E_BUSY', 'too many connections')));
  refuseBroken(server, connections, refusals);
  await bound(server, options);
  // Errors after binding are those of single accepts (too many open files): the server goes on.
  server.on('error', (error) => refusals.note(error));
  const place = server.address();
  const port = typeof place === 'object' && place !== null ? place.port : options.port;
  return { address: options.address, port, dispose: () => closed(server, connections) };
}

function refuseBroken(server: Server, connections: Connections, refusals: Refusals): void {
  const refused = new WeakSet<Duplex>();
  server.on('clientError', (error, socket) => {
    if (refused.has(socket)) return;
    refused.add(socket);
    const isBusy = socket instanceof Socket && connections.isBusy(socket);
    if (isBusy || errorCode(error) === 'ECONNRESET') socket.destroy();
    else refusals.answerSocket(socket, brokenRequest(errorCode(error)));
  });
}

function brokenRequest(code: string): CodedError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new CodedError('E_HEADERS_TOO_LARGE', 'the request head is too long', {
      expected: `at most ${limits.MAX_HEADER_BYTES} bytes`,
    });
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new CodedError('E_REQUEST_TIMEOUT', 'the request did not arrive in time', {
      expected: `its head within ${limits.HEADERS_TIMEOUT_MS / 1_000} s`,
    });
  }
  return new CodedError('E_REQUEST_INVALID', `not an HTTP request (${code})`, {
    expected: 'HTTP/1.1',
  });
}

function bound(server: Server, { address, port }: ListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => reject(bindError(address, port, cause));
    server.once('error', fail);
    server.listen({ host: address, port }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

function bindError(address: string, port: number, cause: Error): CodedError {
  const place = `${address}:${port}`;
  switch (errorCode(cause)) {
    case 'EADDRINUSE':
      return new CodedError('E_PORT_TAKEN', `${place} is taken by another program`, {
        expected: 'a free port',
        action: `stop that program, or choose another port in the settings of url-cache`,
        cause,
      });
    case 'EACCES':
      return new CodedError('E_PORT_FORBIDDEN', `no permission to listen on ${place}`, {
        expected: 'a port from 1024 upwards, or the right to bind lower ones',
        action: 'choose another port in the settings of url-cache',
        cause,
      });
    default:
      return new CodedError('E_LISTEN_FAILED', `cannot listen on ${place}`, {
        expected: 'an address of this machine',
        action: 'correct the address in the settings of url-cache',
        cause,
      });
  }
}

/**
 * Stops accepting, lets running requests end, then cuts what is left. A connection that was taken
 * a moment ago has its request on its way: to close it now would be a reset, not an answer.
 */
function closed(server: Server, connections: Connections): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => connections.destroyAll(), limits.CLOSE_GRACE_MS);
    const fresh = setTimeout(() => connections.destroyFresh(), limits.CLOSE_FRESH_GRACE_MS);
    const idle = setInterval(() => connections.destroyIdle(), limits.CLOSE_FRESH_GRACE_MS);
    server.close(() => {
      clearTimeout(timer);
      clearTimeout(fresh);
      clearInterval(idle);
      resolve();
    });
    connections.destroyIdle();
  });
}
