/**
 * CONNECT: an opaque tunnel for TLS, the cache for plain HTTP.
 *
 * Some clients (freshclam 1.4) send CONNECT even for http: URLs, so the first byte decides: 0x16
 * is a TLS handshake and goes to the origin unread; anything else is plain HTTP and is given to
 * the very server it came from, as a new connection. The origin is dialled first on port 443, so
 * that a failure is a clean answer; on other ports only for TLS, because what is plain may be on
 * the LAN although the Internet is away.
 * Invariants: no tunnel to a port outside the list, to ourselves, or inside another tunnel.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CodedError } from '@peerage/sdk';
import { CACHE_STATUS_HEADER, statusOfForward } from './cache-status.js';
import type { Connections } from './connections.js';
import { dial, ownLoop } from './dial.js';
import type { Services } from './exchange.js';
import { extendedVia, hasPassed } from './headers.js';
import { FIRST_BYTE_TIMEOUT_MS, MAX_TUNNELS, TUNNEL_IDLE_TIMEOUT_MS } from './limits.js';
import { type Authority, parseAuthority } from './target.js';

const TLS_HANDSHAKE = 0x16;
const TLS_PORT = 443;

export class Tunnels {
  /** Connections that speak plain HTTP inside a CONNECT, and where they believe to be. */
  private readonly plain = new WeakMap<Socket, Authority>();
  private readonly services: Services;
  private readonly connections: Connections;
  private readonly ports: ReadonlySet<number>;
  private count = 0;

  constructor(services: Services, connections: Connections, ports: readonly number[]) {
    this.services = services;
    this.connections = connections;
    this.ports = new Set(ports);
  }

  /** The destination that this connection was tunnelled to; `undefined` outside tunnels. */
  authorityOf(socket: Socket): Authority | undefined {
    return this.plain.get(socket);
  }

  /** Carries one CONNECT; `reenter` takes a connection that turns out to be plain HTTP. */
  async open(
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    reenter: (socket: Socket) => void,
  ): Promise<void> {
    const lifetime = new AbortController();
    socket.once('close', () => lifetime.abort());
    let origin: Socket | undefined;
    let isEstablished = false;
    try {
      const authority = this.admitted(request, socket);
      this.count += 1;
      lifetime.signal.addEventListener('abort', () => {
        this.count -= 1;
      });
      if (authority.port === TLS_PORT) {
        origin = await dial(this.services, authority, lifetime.signal);
      }
      isEstablished = true;
      socket.write(this.established(request));
      const first = await firstBytes(socket, head);
      if (first === undefined) return;
      if (first[0] === TLS_HANDSHAKE) {
        origin ??= await dial(this.services, authority, lifetime.signal);
        await this.carry(socket, origin, first);
      } else {
        this.plain.set(socket, authority);
        socket.unshift(first);
        reenter(socket);
        socket.resume();
        return;
      }
    } catch (error) {
      this.refuse(socket, error, isEstablished, lifetime.signal.aborted);
    } finally {
      origin?.destroy();
    }
  }

  private admitted(request: IncomingMessage, socket: Socket): Authority {
    const authority = parseAuthority(request.url ?? '');
    const { host, port } = authority;
    if (this.plain.has(socket)) {
      throw new CodedError('E_REQUEST_INVALID', 'a CONNECT inside a CONNECT', {
        expected: 'GET or another method inside a plain tunnel',
      });
    }
    if (!this.ports.has(port)) {
      throw new CodedError('E_PORT_NOT_ALLOWED', `no tunnel to port ${port}`, {
        expected: `one of ${[...this.ports].join(', ')}`,
        action: 'add the port to "connectPorts" in the settings of url-cache',
      });
    }
    const isLoop = hasPassed(request.headers.via, this.services.pseudonym);
    if (isLoop || this.services.own.includes(host, port)) throw ownLoop(host);
    if (this.count >= MAX_TUNNELS) {
      throw new CodedError('E_BUSY', 'too many tunnels are open', {
        expected: `at most ${MAX_TUNNELS}`,
        action: 'try again later',
      });
    }
    return authority;
  }

  private established(request: IncomingMessage): string {
    const via = extendedVia(undefined, request.httpVersion, this.services.pseudonym);
    const status = `${CACHE_STATUS_HEADER}: ${statusOfForward('method')}`;
    return `HTTP/1.1 200 Connection Established\r\nvia: ${via}\r\n${status}\r\n\r\n`;
  }

  private async carry(socket: Socket, origin: Socket, first: Buffer): Promise<void> {
    for (const end of [socket, origin]) {
      end.setTimeout(TUNNEL_IDLE_TIMEOUT_MS, () => end.destroy());
    }
    origin.write(first);
    await pipeline(socket, origin, socket);
  }

  private refuse(socket: Socket, error: unknown, isEstablished: boolean, isGone: boolean): void {
    if (isGone) return;
    if (isEstablished || this.connections.isBusy(socket)) {
      this.services.refusals.note(error);
      socket.destroy();
    } else {
      this.services.refusals.answerSocket(socket, error);
    }
  }
}

/** The first bytes of a tunnel; `undefined` if the client leaves or says nothing. */
function firstBytes(socket: Duplex, head: Buffer): Promise<Buffer | undefined> {
  if (head.length > 0) return Promise.resolve(head);
  return new Promise((resolve) => {
    const finish = (bytes: Buffer | undefined) => {
      clearTimeout(timer);
      socket.pause();
      socket.off('data', finish).off('end', leave).off('close', leave);
      if (bytes === undefined) socket.destroy();
      resolve(bytes);
    };
    const leave = () => finish(undefined);
    const timer = setTimeout(leave, FIRST_BYTE_TIMEOUT_MS);
    socket.once('data', finish).once('end', leave).once('close', leave);
  });
}
