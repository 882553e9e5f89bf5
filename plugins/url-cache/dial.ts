/**
 * Dialling: a connection to an origin that the core has checked.
 *
 * Only addresses that `PeeringService.route()` returned are connected to, never a name: a name
 * could resolve to something else the second time. Used by tunnels and by forwarded requests.
 */
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { CodedError } from '@peerage/sdk';
import type { Services } from './exchange.js';
import { DIAL_TIMEOUT_MS, MAX_DIAL_ADDRESSES } from './limits.js';
import type { Authority } from './target.js';

/** Asks the core for the way to an origin and connects to the first address that answers. */
export async function dial(
  services: Services,
  { host, port }: Authority,
  signal: AbortSignal,
): Promise<Socket> {
  const route = await services.peering.route(host.replace(/^\[|\]$/g, ''), port);
  const addresses = route.addresses.filter((address) => isIP(address) !== 0);
  if (addresses.some((address) => services.own.includes(address, route.port))) throw ownLoop(host);
  let failure: unknown;
  for (const address of addresses.slice(0, MAX_DIAL_ADDRESSES)) {
    try {
      return await settled(
        connect({ host: address, port: route.port, noDelay: true, allowHalfOpen: true }),
        'connect',
        signal,
      );
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  throw unreachable(host, port, failure);
}

/** Puts TLS on a connection; the certificate must be the name's. */
export async function secure(
  socket: Socket,
  { host, port }: Authority,
  signal: AbortSignal,
): Promise<Socket> {
  const name = host.replace(/^\[|\]$/g, '');
  const servername = isIP(name) === 0 ? { servername: name } : { host: name };
  try {
    return await settled(
      connectTls({ socket, ALPNProtocols: ['http/1.1'], ...servername }),
      'secureConnect',
      signal,
    );
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw unreachable(host, port, error);
  }
}

/** That a request would come back to us. */
export function ownLoop(host: string): CodedError {
  return new CodedError('E_LOOP', `${host} is this proxy itself`, {
    expected: 'a request for another host',
    action: 'take this address out of the proxy settings or the URL',
  });
}

function unreachable(host: string, port: number, cause: unknown): CodedError {
  return new CodedError('E_ORIGIN_UNREACHABLE', `cannot connect to ${host}:${port}`, {
    action: 'check the Internet connection, or try again later',
    cause,
  });
}

/** Waits until a socket is ready; it is destroyed if that fails, takes too long, or is aborted. */
function settled<S extends Socket>(
  socket: S,
  ready: 'connect' | 'secureConnect',
  signal: AbortSignal,
): Promise<S> {
  return new Promise((resolve, reject) => {
    const giveUp = () => socket.destroy(new Error('given up'));
    const timer = setTimeout(giveUp, DIAL_TIMEOUT_MS);
    const finish = (act: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      socket.off('close', closed);
      act();
    };
    const closed = () => finish(() => reject(new Error('closed')));
    // Stays: an error after the connection is made must find a listener until its user has one.
    socket.on('error', (error) => finish(() => reject(error)));
    socket.once('close', closed);
    socket.once(ready, () => finish(() => resolve(socket)));
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
}
