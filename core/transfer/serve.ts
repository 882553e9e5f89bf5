/**
 * The object server: what distribution needs and nothing else (PROTOCOL §6.1, §6.2).
 *
 *   GET, HEAD /o/<sha256>   bytes of an object, Range          members only
 *   GET       /p/<sha256>   its piece hashes                   members only
 *   GET       /a/<hash>     an attestation                     members only
 *   GET       /c/<kid>      this node's own certificate (§2.5) anybody
 *
 * Anything else: 404 before any work. Paths are matched by one pattern; the disk path is made of
 * the digest alone. Invariant: every byte of an object was checked against its piece hash when it
 * was read; on a bad piece the connection is destroyed, the body is never ended cleanly.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import { CodedError } from '@peerage/sdk';
import { Counters } from '../base/bounded.js';
import type { Logger } from '../ports/log.js';
import type { Identity } from '../trust/authority.js';
import { checkNodeCertificate } from '../trust/policy.js';
import type { Keyring } from '../wire/open.js';
import type { Entry } from './catalogue.js';
import type { ObjectStore } from './store.js';

const ROUTE = /^\/([opac])\/([0-9a-f]{64}|[A-Za-z0-9_-]{22})$/;
const RANGE = /^bytes=(\d{1,15})-(\d{0,15})$/;
/** Uploads at once; further requests are told to come back (§6.2). */
const UPLOADS_MAX = 32;
const CONNECTIONS_MAX = 512;
const LIMITS = {
  headersTimeout: 3000,
  requestTimeout: 6000,
  keepAliveTimeout: 60_000,
  connectionsCheckingInterval: 500,
  maxHeaderSize: 8192,
};
/** A reader that takes nothing for this long is dropped. */
const IDLE_MS = 15_000;

export interface ObjectServerOptions {
  readonly identity: Identity;
  readonly keyring: Keyring;
  readonly store: ObjectStore;
  readonly logger: Logger;
  /** Uploads at once. */
  readonly uploadsMax?: number;
}

export class ObjectServer {
  readonly counters = new Counters();
  private readonly options: ObjectServerOptions;
  private readonly servers = new Map<string, Server>();
  private uploads = 0;

  constructor(options: ObjectServerOptions) {
    this.options = options;
  }

  /** Listens on one more address; again is harmless (a cable that comes back). @throws CodedError `E_PORT_TAKEN` */
  async listen(address: string, port: number): Promise<void> {
    const place = `${address}:${port}`;
    if (this.servers.has(place)) return;
    const { key, certificate, ca } = this.options.identity;
    const server = createServer(
      {
        ...LIMITS,
        key: key.export({ type: 'pkcs8', format: 'pem' }),
        cert: certificate.toString(),
        ca: ca.toString(),
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.3',
        highWaterMark: 1024 * 1024,
      },
      (request, response) => void this.answer(request, response),
    );
    server.maxConnections = CONNECTIONS_MAX;
    server.on('tlsClientError', () => this.counters.add('handshake-failed'));
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
    const match = ROUTE.exec(request.url ?? '');
    const [, kind = '', name = ''] = match ?? [];
    const read = request.method === 'GET' || request.method === 'HEAD';
    if (match === null || !read) return this.refuse(response, 404, 'unknown-path');
    try {
      if (kind === 'c') return this.answerCertificate(response, name);
      if (!this.isMember(request.socket as TLSSocket))
        return this.refuse(response, 404, 'stranger');
      if (kind === 'a') return await this.answerAttestation(response, name);
      const entry = this.options.store.findObject(name);
      if (entry === undefined || !entry.shareable)
        return this.refuse(response, 404, 'unknown-object');
      if (kind === 'p') return sendWhole(response, await this.options.store.hashes(entry));
      await this.answerObject(request, response, entry);
    } catch (error) {
      this.counters.add('broken-off');
      this.options.logger.log('warn', 'upload-broken-off', { error });
      response.destroy();
    }
  }

  private answerCertificate(response: ServerResponse, kid: string): void {
    const { identity } = this.options;
    if (kid !== identity.kid) return this.refuse(response, 404, 'unknown-kid');
    sendWhole(response, identity.certificate.raw);
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
  ): Promise<void> {
    const { sizeBytes } = entry.attestation;
    const range = RANGE.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Math.min(Number(range[2]) + 1, sizeBytes) : sizeBytes;
    if (range !== null && start >= end) return this.refuse(response, 416, 'bad-range');
    if (this.uploads >= (this.options.uploadsMax ?? UPLOADS_MAX)) {
      response.setHeader('retry-after', '1');
      return this.refuse(response, 503, 'busy');
    }
    response.statusCode = range === null ? 200 : 206;
    response.setHeader('content-length', end - start);
    if (range !== null)
      response.setHeader('content-range', `bytes ${start}-${end - 1}/${sizeBytes}`);
    if (request.method === 'HEAD') return void response.end();
    this.uploads += 1;
    this.counters.add('uploads');
    try {
      const bytes = Readable.from(this.options.store.read(entry, start, end), {
        objectMode: false,
      });
      await pipeline(bytes, response);
      this.counters.add('uploaded-bytes', end - start);
    } finally {
      this.uploads -= 1;
    }
  }

  private isMember(socket: TLSSocket): boolean {
    const { raw } = socket.getPeerCertificate();
    if (raw === undefined) return false;
    const verdict = checkNodeCertificate(raw, this.options.identity.ca, Date.now());
    return verdict.ok && !this.options.keyring.isRevoked(verdict.node.name);
  }

  private refuse(response: ServerResponse, status: number, reason: string): void {
    this.counters.add(`refused-${reason}`);
    response.statusCode = status;
    response.end();
  }
}

function sendWhole(response: ServerResponse, bytes: Buffer): void {
  response.statusCode = 200;
  response.setHeader('content-length', bytes.length);
  response.end(bytes);
}

function portTaken(address: string, port: number, cause: unknown): CodedError {
  return new CodedError('E_PORT_TAKEN', `cannot listen on ${address}:${port} for objects`, {
    expected: 'a free TCP port and an address of this machine',
    action: 'stop what uses it, or set core.objectPort or core.address',
    cause,
  });
}
