/**
 * Who may hold how many connections to the object server (PROTOCOL §6.2). A connection is a
 * stranger's until its handshake showed a member's certificate; strangers live shortly, are few, and
 * give way to newcomers, oldest first, so that no crowd of them keeps a member out.
 *
 * Invariants: at most STRANGERS_MAX connections of strangers, STRANGERS_PER_ADDRESS of one address,
 * CONNECTIONS_PER_MEMBER of one name; a member's connection is never cut for a stranger's sake.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Counters } from '../base/bounded.js';
import type { NodeCertificate } from '../trust/policy.js';

/** Connections without a member's certificate in all; a handshake takes milliseconds. */
const STRANGERS_MAX = 256;
/** Of one address; more than the nodes that share a machine's loopback begin at once. */
const STRANGERS_PER_ADDRESS = 64;
/** A peer keeps 8 connections at most (peer-fetch), and as many again while it changes keys. */
const CONNECTIONS_PER_MEMBER = 16;
/** Time for a handshake, or for all of joining: two small requests. */
const STRANGER_LIFE_MS = 3500;

interface Stranger {
  readonly socket: Socket;
  readonly address: string;
  readonly timer: NodeJS.Timeout;
}

export class Admission {
  private readonly counters: Counters;
  /** Oldest first. */
  private readonly strangers = new Map<string, Stranger>();
  private readonly members = new Map<TLSSocket, NodeCertificate>();

  constructor(counters: Counters) {
    this.counters = counters;
  }

  /** A connection that has said nothing yet. */
  admit(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const crowd = [...this.strangers.values()].filter((other) => other.address === address);
    if (crowd.length >= STRANGERS_PER_ADDRESS) return this.cut(socket, 'of-one-address');
    const [oldest] = this.strangers.values();
    if (oldest !== undefined && this.strangers.size >= STRANGERS_MAX) {
      this.forget(placeOf(oldest.socket));
      this.cut(oldest.socket, 'strangers-in-all');
    }
    const place = placeOf(socket);
    const timer = setTimeout(() => this.cut(socket, 'stranger-too-long'), STRANGER_LIFE_MS);
    timer.unref();
    this.strangers.set(place, { socket, address, timer });
    socket.once('close', () => this.forget(place));
  }

  /** Its handshake is done; `node` is the member at the other end, if it is one. */
  identify(socket: TLSSocket, node: NodeCertificate | undefined): void {
    if (node === undefined) return;
    this.forget(placeOf(socket));
    const others = [...this.members.values()].filter(({ name }) => name === node.name);
    if (others.length >= CONNECTIONS_PER_MEMBER) return this.cut(socket, 'of-one-member');
    this.members.set(socket, node);
    socket.once('close', () => this.members.delete(socket));
  }

  /** The member at the other end; `undefined` for a stranger. */
  memberOf(socket: TLSSocket): NodeCertificate | undefined {
    return this.members.get(socket);
  }

  /** Cuts the connections of members that are not to have any. */
  expel(isOut: (node: NodeCertificate) => boolean): void {
    for (const [socket, node] of [...this.members]) {
      if (!isOut(node)) continue;
      this.members.delete(socket);
      this.cut(socket, 'revoked');
    }
  }

  private cut(socket: Socket, why: string): void {
    this.counters.add(`connections-cut-${why}`);
    socket.destroy();
  }

  private forget(place: string): void {
    const stranger = this.strangers.get(place);
    if (stranger === undefined) return;
    clearTimeout(stranger.timer);
    this.strangers.delete(place);
  }
}

/** Names a connection on both floors: the bare one and TLS over it. */
function placeOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress}|${remotePort}|${localAddress}|${localPort}`;
}
