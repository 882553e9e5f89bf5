/**
 * The way of one request: which URL it means, whether it may come through, and who answers it.
 *
 * Used by the proxy's port, by plain HTTP inside tunnels, and by mirrors; they differ only in how
 * a request line becomes a target. Invariant: whatever happens, the request gets one answer or its
 * connection is cut, and nothing is thrown to the server.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CodedError } from '@peerage/sdk';
import { ORIGIN_ONLY_HEADERS } from './conditional.js';
import type { Connections, Life } from './connections.js';
import { ownLoop } from './dial.js';
import type { Exchange, Services } from './exchange.js';
import { type ForwardReason, forward } from './forward.js';
import { hasBody, hasPassed } from './headers.js';
import type { OwnNames } from './own-names.js';
import type { OwnPages } from './own-pages.js';
import { type Repeats, sendAgain } from './repeat.js';
import { serve } from './serve.js';
import { absoluteTarget, innerTarget, isOriginForm, refuseWrongHost } from './target.js';
import type { Tunnels } from './tunnel.js';

/** What a request means: a URL, or a page of our own that is sent already. */
export type Resolve = (request: IncomingMessage, response: ServerResponse) => URL | 'answered';

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** The handler of one listener's requests. */
export function requestHandler(
  services: Services,
  connections: Connections,
  resolve: Resolve,
  repeats: Repeats,
): RequestHandler {
  const port = { services, connections, resolve, repeats };
  return (request, response) => {
    // A response whose connection breaks must not be an uncaught error.
    response.on('error', () => response.destroy());
    void answer(port, request, response);
  };
}

/** Targets on the proxy's own port, and inside the tunnels that lead through it. */
export function proxyTargets(
  services: Services,
  tunnels: Tunnels,
  pages: OwnPages,
  names: OwnNames,
): Resolve {
  return (request, response) => {
    const outer = tunnels.authorityOf(request.socket);
    if (outer === undefined && isOriginForm(request)) {
      names.refuseForeign(request);
      pages.answer(request, response);
      return 'answered';
    }
    const url = outer === undefined ? absoluteTarget(request) : innerTarget(request, outer);
    if (services.own.includesUrl(url)) throw ownLoop(url.host);
    return url;
  };
}

/** The parts of one listener's flow. */
interface Port {
  readonly services: Services;
  readonly connections: Connections;
  readonly resolve: Resolve;
  readonly repeats: Repeats;
}

async function answer(
  port: Port,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { services, repeats } = port;
  let life: Life | undefined;
  try {
    const begun = port.connections.begin(request.socket);
    life = begun;
    const key = repeats.keyOf(request);
    const known = key === undefined ? undefined : repeats.find(key);
    if (known !== undefined) {
      return await sendAgain(response, known.repeat, known.resource, () => begun.signal);
    }
    refuseWrongHost(request);
    const url = port.resolve(request, response);
    if (url === 'answered') return;
    refusePassed(services, request);
    const onWhole: Exchange['onWhole'] = (resource, headOf) => {
      if (key !== undefined) repeats.learn(key, resource, headOf);
    };
    await pass(services, { url, request, response, signal: begun.signal, onWhole });
  } catch (error) {
    if (life?.isOver === true) response.destroy();
    else services.refusals.answer(response, error);
  } finally {
    if (life !== undefined) endLife(life, response);
  }
}

/** A request is in work until the last byte of its answer has left. */
function endLife(life: Life, response: ServerResponse): void {
  if (response.writableFinished) life.dispose();
  else response.once('finish', () => life.dispose());
}

async function pass(services: Services, exchange: Exchange): Promise<void> {
  const why = reasonToForward(exchange.request);
  if (why === undefined) await serve(services, exchange);
  else await forward(services, exchange, why);
}

function reasonToForward(request: IncomingMessage): ForwardReason | undefined {
  if (request.method !== 'GET' && request.method !== 'HEAD') return { reason: 'method' };
  if (hasBody(request)) return { reason: 'request' };
  const isOriginOnly = ORIGIN_ONLY_HEADERS.some((name) => request.headers[name] !== undefined);
  return isOriginOnly ? { reason: 'request' } : undefined;
}

function refusePassed(services: Services, request: IncomingMessage): void {
  if (!hasPassed(request.headers.via, services.pseudonym)) return;
  throw new CodedError('E_LOOP', 'this request has been here before', {
    expected: 'a path without a circle of proxies',
    action: 'see that the upstream proxy or mirror does not lead back here',
  });
}
