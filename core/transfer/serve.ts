/**
 * The object server: what distribution needs and nothing else (PROTOCOL §6.1, §6.2).
 *
 *   GET, HEAD /o/<sha256>   bytes of an object, Range          members only
 *   GET       /p/<sha256>   its piece hashes                   members only
 *   GET       /a/<hash>     an attestation                     members only
 *   GET       /f/<hash>     a download in progress, followed   members only
 *   GET       /g/policy     the newest group policy (§1.8)     members only
 *   POST      /e/errand     something for a node without Internet (§5.5)  members only
 *   GET       /c/<kid>      this node's own certificate (§2.5) anybody
 *   GET, POST /j/…          joining (§1.7), where the CA is    anybody
 *
 * Anything else: 404 before any work. Paths are matched by one pattern; the disk path is made of
 * the digest alone. Invariant: every byte of an object was checked against its piece hash when it
 * was read; on a bad piece the connection is destroyed, the body is never ended cleanly.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import { Counters } from '../base/bounded.js';
import { ERRAND_ROUTE } from '../ports/errands.js';
import type { Logger } from '../ports/log.js';
import type { JoinDesk } from '../ports/ports.js';
import type { Copy } from '../protocol/message.js';
import type { Identity } from '../trust/authority.js';
import { PIECE_BYTES } from '../trust/pieces.js';
import { checkNodeCertificate, issuerOf, type NodeCertificate } from '../trust/policy.js';
import { SUCCESSION_HEADER } from '../trust/succession.js';
import type { Keyring } from '../wire/open.js';
import { Admission } from './admission.js';
import { beginPart } from './asked-part.js';
import type { Entry } from './catalogue.js';
import type { ErrandDesk } from './errand-desk.js';
import type { Flight } from './flight.js';
import { Line } from './line.js';
import type { Relay } from './peer-body.js';
import { portTaken } from './port-taken.js';
import { relayFrames } from './relay.js';
import type { Giving } from './serving.js';
import { watchReader } from './slow-reader.js';
import type { ObjectStore } from './store.js';

const ROUTE = /^\/([opacf])\/([0-9a-f]{64}|[A-Za-z0-9_-]{22})$/;
const JOIN_ROUTES = ['/j/ca', '/j/enrol', '/j/renew'];
const POLICY_ROUTE = '/g/policy';
/** Uploads at once; further requests are told to come back (§6.2). */
const UPLOADS_MAX = 32;
/** Connections in all on one address, of members nearly all: `admission` bounds strangers. */
const CONNECTIONS_MAX = 1024;
const LIMITS = {
  headersTimeout: 3000,
  requestTimeout: 6000,
  keepAliveTimeout: 60_000,
  connectionsCheckingInterval: 500,
  maxHeaderSize: 8192,
};
/** A reader that takes nothing for this long is dropped. */
const IDLE_MS = 15_000;
/** A connection that does not get through its handshake by then is dropped. */
const HANDSHAKE_MS = 2500;

/** From this size on an object goes to few at a time; others are handed on to them (§6.4). */
const LARGE_BYTES = 2 * 1024 * 1024;
/** One at a time: a chain passes an object through every link once. */
const OBJECT_FANOUT = 1;
/** Two at a time: a slow line leaves room on the links, and a tree is less deep. */
const FLIGHT_FANOUT = 2;

/** Downloads of this node that others may follow. */
export interface Relays {
  /** The download at this path. */
  flight(path: string): Flight | undefined;
  /** The copy that the download at this path has become. */
  finished(path: string): Copy | undefined;
  /** The download whose bytes will have this SHA-256. */
  object(sha256: string): Flight | undefined;
}

export interface ObjectServerOptions {
  readonly relays: Relays;
  readonly identity: Identity;
  readonly keyring: Keyring;
  readonly store: ObjectStore;
  readonly logger: Logger;
  /** Uploads at once. */
  readonly uploadsMax?: number;
  /** The newest group policy's exact bytes. */
  readonly policy?: () => Buffer | undefined;
  /** How the CA in force followed the one before, if it did (§1.9). */
  readonly succession?: () => Buffer | undefined;
  /** Where joining is answered; only on the node that has the CA. */
  readonly desk?: JoinDesk | undefined;
  /** What is done for nodes without Internet. */
  readonly errands?: Pick<ErrandDesk, 'answer'> | undefined;
  readonly giving?: Giving;
}

export class ObjectServer {
  readonly counters = new Counters();
  private readonly options: ObjectServerOptions;
  private readonly servers = new Map<string, Server>();
  private readonly admission = new Admission(this.counters);
  private uploads = 0;
  /** Who asked for what, by object or flight, while somebody is being sent it. */
  private readonly lines = new Map<string, Line>();

  constructor(options: ObjectServerOptions) {
    this.options = options;
  }

  /** Cuts the connections of members that are revoked now, or of a CA that is retired. */
  dropRevoked(): void {
    const { identity, keyring } = this.options;
    this.admission.expel(({ name, certificate }) => {
      return keyring.isRevoked(name) || issuerOf(certificate, identity.anchors) === undefined;
    });
  }

  /** Shows another certificate on connections to come. */
  renewed(): void {
    for (const server of this.servers.values()) server.setSecureContext(this.credentials());
  }

  private credentials() {
    const { key, certificate, anchors } = this.options.identity;
    return {
      key: key.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificate.toString(),
      ca: anchors.map(String),
      minVersion: 'TLSv1.3',
    } as const;
  }

  /** Listens on one more address; again is harmless (a cable that comes back). @throws CodedError `E_PORT_TAKEN` */
  async listen(address: string, port: number): Promise<void> {
    const place = `${address}:${port}`;
    if (this.servers.has(place)) return;
    const server = createServer(
      {
        ...LIMITS,
        ...this.credentials(),
        requestCert: true,
        handshakeTimeout: HANDSHAKE_MS,
        rejectUnauthorized: false,
        highWaterMark: 1024 * 1024,
      },
      (request, response) => void this.answer(request, response),
    );
    server.maxConnections = CONNECTIONS_MAX;
    server.on('tlsClientError', () => this.counters.add('handshake-failed'));
    server.on('connection', (socket) => this.admission.admit(socket as Socket));
    server.on('secureConnection', (socket) => this.admission.identify(socket, this.judge(socket)));
    server.on('clientError', (_error, socket) => socket.destroy());
    server.setTimeout(IDLE_MS);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(portTaken(address, port, cause)));
      server.listen(port, address, resolve);
    });
    this.servers.set(place, server);
  }

  async close(): Promise<void> {
    const servers = [...this.servers.values()];
    this.servers.clear();
    for (const server of servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const { desk } = this.options;
    if (desk !== undefined && JOIN_ROUTES.includes(path)) return desk.answer(request, response);
    if (path === POLICY_ROUTE) return this.answerPolicy(request, response);
    if (path === ERRAND_ROUTE) return this.answerErrand(request, response);
    const match = ROUTE.exec(path);
    const [, kind = '', name = ''] = match ?? [];
    const read = request.method === 'GET' || request.method === 'HEAD';
    if (match === null || !read) return this.refuse(response, 404, 'unknown-path');
    try {
      if (kind === 'c') return this.answerCertificate(response, name);
      const member = this.memberOf(request.socket as TLSSocket);
      if (member === undefined) return this.refuse(response, 404, 'stranger');
      if (kind === 'a') return await this.answerAttestation(response, name);
      if (kind === 'f') return await this.answerFlight(request, response, member);
      const entry = this.options.store.findObject(name);
      if (kind === 'o' && entry === undefined)
        return await this.answerRelay(request, response, name, member);
      if (entry === undefined || !entry.shareable)
        return this.refuse(response, 404, 'unknown-object');
      if (kind === 'p') return sendWhole(response, await this.options.store.hashes(entry));
      await this.answerObject(request, response, entry, member);
    } catch (error) {
      this.counters.add('broken-off');
      this.options.logger.log('warn', 'upload-broken-off', { error });
      response.destroy();
    }
  }

  private async answerErrand(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { errands } = this.options;
    const member = this.memberOf(request.socket as TLSSocket);
    if (member === undefined || errands === undefined)
      return this.refuse(response, 404, member === undefined ? 'stranger' : 'unknown-path');
    await errands.answer(request, response, this.counters).catch(() => response.destroy());
  }

  private answerCertificate(response: ServerResponse, kid: string): void {
    const { identity } = this.options;
    const succession = this.options.succession?.();
    if (succession !== undefined)
      response.setHeader(SUCCESSION_HEADER, succession.toString('base64url'));
    if (kid !== identity.kid) return this.refuse(response, 404, 'unknown-kid');
    sendWhole(response, identity.certificate.raw);
  }

  private answerPolicy(request: IncomingMessage, response: ServerResponse): void {
    const member = this.memberOf(request.socket as TLSSocket);
    if (member === undefined) return this.refuse(response, 404, 'stranger');
    const bytes = this.options.policy?.();
    if (bytes === undefined || request.method !== 'GET')
      return this.refuse(response, 404, 'unknown-path');
    sendWhole(response, bytes);
  }

  private async answerAttestation(response: ServerResponse, id: string): Promise<void> {
    const { store } = this.options;
    const entry = store.findAttestation(id);
    if (entry === undefined || !entry.shareable)
      return this.refuse(response, 404, 'unknown-attestation');
    sendWhole(response, await store.attestationBytes(entry));
  }

  private async answerObject(
    request: IncomingMessage,
    response: ServerResponse,
    entry: Entry,
    member: string,
  ): Promise<void> {
    const { sizeBytes, sha256 } = entry.attestation;
    const part = this.beginPart(request, response, sizeBytes);
    if (part === undefined) return;
    const large = part.end - part.start >= LARGE_BYTES;
    const limit = large ? OBJECT_FANOUT : UPLOADS_MAX;
    await this.upload(response, { subject: sha256, member, limit, relayPath: '' }, () => {
      return this.options.store.read(entry, part.start, part.end);
    });
  }

  /** Bytes that are still on their way here, to somebody who was handed on to us. */
  private async answerRelay(
    request: IncomingMessage,
    response: ServerResponse,
    sha256: string,
    member: string,
  ): Promise<void> {
    const flight = this.options.relays.object(sha256);
    const head = await flight?.head.catch(() => undefined);
    if (flight === undefined || head?.sizeBytes === undefined || flight.incoming === undefined) {
      return this.refuse(response, 404, 'unknown-object');
    }
    const part = this.beginPart(request, response, head.sizeBytes);
    if (part === undefined) return;
    await this.upload(
      response,
      { subject: sha256, member, limit: OBJECT_FANOUT, relayPath: '' },
      () => {
        return flight.spool.read(part.start, part.end);
      },
    );
  }

  private async answerFlight(
    request: IncomingMessage,
    response: ServerResponse,
    member: string,
  ): Promise<void> {
    const path = request.url ?? '';
    const flight = this.options.relays.flight(path);
    if (flight === undefined) {
      const copy = this.options.relays.finished(path);
      if (copy === undefined) return this.refuse(response, 404, 'unknown-flight');
      response.statusCode = 303;
      return void response.end(JSON.stringify(copy));
    }
    const from = Number(request.headers['peerage-from'] ?? 0);
    const relayPath = String(request.headers['peerage-relay'] ?? '');
    const sound =
      Number.isSafeInteger(from) && from >= 0 && /^(\/f\/[0-9a-f]{64})?$/.test(relayPath);
    if (!sound) return this.refuse(response, 404, 'bad-flight');
    await this.upload(response, { subject: path, member, limit: FLIGHT_FANOUT, relayPath }, () => {
      return relayFrames(flight, from);
    });
  }

  /** The bytes that are asked for; `undefined` if the request is answered already. */
  private beginPart(request: IncomingMessage, response: ServerResponse, sizeBytes: number) {
    const part = beginPart(request, response, sizeBytes);
    if (part === 'unsatisfiable') return this.refuse(response, 416, 'bad-range');
    return request.method === 'HEAD' ? void response.end() : part;
  }

  /** Sends a body, or names those who have it or will soon (§6.4). */
  private async upload(
    response: ServerResponse,
    { subject, member, limit, relayPath }: Upload,
    open: () => AsyncIterable<Uint8Array>,
  ): Promise<void> {
    if (this.options.giving?.serving() === false) return this.handOn(response, []);
    if (this.uploads >= (this.options.uploadsMax ?? UPLOADS_MAX)) return this.handOn(response, []);
    const line = this.lines.get(subject) ?? new Line(limit);
    const others = line.join({ kid: member, path: relayPath });
    if (others !== undefined) return this.handOn(response, others);
    this.lines.set(subject, line);
    this.uploads += 1;
    this.counters.add('uploads');
    let served = false;
    const { socket } = response;
    const unwatch = socket === null ? noWatch : watchReader(socket, () => this.tooSlow(response));
    try {
      // The taker waits for the head only so long; the bytes may still be on their way to us.
      response.flushHeaders();
      await pipeline(
        Readable.from(this.options.giving?.atPace(open()) ?? open(), {
          objectMode: false,
          highWaterMark: PIECE_BYTES,
        }),
        response,
      );
      served = true;
    } finally {
      unwatch();
      this.uploads -= 1;
      line.leave(member, served);
      if (line.idle) this.lines.delete(subject);
    }
  }

  private handOn(response: ServerResponse, others: readonly Relay[]): void {
    this.counters.add('handed-on');
    response.statusCode = 503;
    response.removeHeader('content-length');
    response.removeHeader('content-range');
    response.setHeader('retry-after', '1');
    response.end(JSON.stringify(others));
  }

  private tooSlow(response: ServerResponse): void {
    this.counters.add('connections-cut-slow-reader');
    response.destroy();
  }

  /** The kid of the member at the other end; `undefined` for a stranger. */
  private memberOf(socket: TLSSocket): string | undefined {
    const node = this.admission.memberOf(socket);
    if (node === undefined || this.options.keyring.isRevoked(node.name)) return undefined;
    return Date.now() <= node.notAfterMs ? node.kid : undefined;
  }

  /** Whose certificate the handshake showed, if it is a member's that is not revoked. */
  private judge(socket: TLSSocket): NodeCertificate | undefined {
    // Of a closed connection there is nothing left to be had.
    const { raw } = socket.getPeerCertificate() ?? {};
    if (raw === undefined) return undefined;
    const verdict = checkNodeCertificate(raw, this.options.identity.anchors, Date.now());
    if (!verdict.ok || this.options.keyring.isRevoked(verdict.node.name)) return undefined;
    return verdict.node;
  }

  private refuse(response: ServerResponse, status: number, reason: string): void {
    this.counters.add(`refused-${reason}`);
    response.statusCode = status;
    response.end();
  }
}

const noWatch = () => undefined;

interface Upload {
  /** What is sent: an object or a flight. */
  readonly subject: string;
  /** The kid of who gets it. */
  readonly member: string;
  /** How many may get it at once. */
  readonly limit: number;
  /** Where the taker serves it in turn, if that is another path. */
  readonly relayPath: string;
}

function sendWhole(response: ServerResponse, bytes: Buffer): void {
  response.statusCode = 200;
  response.setHeader('content-length', bytes.length);
  response.end(bytes);
}
