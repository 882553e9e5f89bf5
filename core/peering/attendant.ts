/**
 * The connection that a backup holds to its provider (PROTOCOL §8.7): mutual TLS, the provider
 * pinned by its kid, a small request now and then so that it stays open. When the provider's process
 * dies, its system closes the connection, and that is the earliest sign there is.
 *
 * Invariants: one connection for each service; a closed one is opened again after a pause for as
 * long as the provider is attended; nothing here ever throws.
 */

import { Agent, request } from 'node:https';
import type { Socket } from 'node:net';
import type { PeerEndpoint } from '../ports/ports.js';
import type { Identity } from '../trust/authority.js';
import { checkNodeCertificate } from '../trust/policy.js';

/** A sign of life on the connection; the object server closes one that is idle for 15 s. */
const TOUCH_MS = 5000;
/** Before a connection that closed is opened again. */
const PAUSE_MS = 1000;
/** Until a request is answered. */
const ANSWER_MS = 2000;

export class Attendant {
  private readonly identity: Identity;
  private readonly onLost: (service: string) => void;
  private readonly attended = new Map<string, Attendance>();

  /** @param onLost called when the connection for a service closed */
  constructor(identity: Identity, onLost: (service: string) => void) {
    this.identity = identity;
    this.onLost = onLost;
  }

  /** Holds a connection to this provider from now on; to nobody if `undefined`. */
  attend(service: string, provider: PeerEndpoint | undefined): void {
    this.attended.get(service)?.end();
    this.attended.delete(service);
    if (provider === undefined) return;
    const attendance = new Attendance(this.identity, provider, () => this.onLost(service));
    this.attended.set(service, attendance);
  }

  close(): void {
    for (const attendance of this.attended.values()) attendance.end();
    this.attended.clear();
  }
}

class Attendance {
  private readonly identity: Identity;
  private readonly provider: PeerEndpoint;
  private readonly onLost: () => void;
  private readonly agent: Agent;
  private readonly watched = new WeakSet<Socket>();
  private timer: NodeJS.Timeout | undefined;
  private over = false;

  constructor(identity: Identity, provider: PeerEndpoint, onLost: () => void) {
    this.identity = identity;
    this.provider = provider;
    this.onLost = onLost;
    const { key, certificate, anchors } = identity;
    this.agent = new Agent({
      keepAlive: true,
      maxSockets: 1,
      key: key.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificate.toString(),
      ca: anchors.map(String),
      minVersion: 'TLSv1.3',
      checkServerIdentity: (_host, peer) => this.judge(peer.raw),
    });
    this.touch();
  }

  end(): void {
    this.over = true;
    clearTimeout(this.timer);
    this.agent.destroy();
  }

  private touch(): void {
    const { address: host, port, kid } = this.provider;
    const outgoing = request({
      host,
      port,
      path: `/c/${kid}`,
      agent: this.agent,
      servername: '',
      timeout: ANSWER_MS,
    });
    outgoing.once('socket', (socket) => this.watch(socket));
    outgoing.once('timeout', () => outgoing.destroy());
    outgoing.once('response', (response) => response.resume());
    outgoing.once('error', () => undefined);
    outgoing.once('close', () => this.again(TOUCH_MS));
    outgoing.end();
  }

  private watch(socket: Socket): void {
    if (this.watched.has(socket)) return;
    this.watched.add(socket);
    socket.once('close', () => {
      if (this.over) return;
      this.again(PAUSE_MS);
      this.onLost();
    });
  }

  private again(afterMs: number): void {
    if (this.over) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.touch(), afterMs);
    this.timer.unref();
  }

  private judge(certificate: Buffer): Error | undefined {
    const verdict = checkNodeCertificate(certificate, this.identity.anchors, Date.now());
    if (verdict.ok && verdict.node.kid === this.provider.kid) return undefined;
    return new Error('this is not the provider');
  }
}
