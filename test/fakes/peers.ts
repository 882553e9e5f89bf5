/**
 * Peers on loopback addresses with real identities: an honest one, which is the real object server
 * over a real store, and a scripted one, which does with its answers whatever a test says.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { PeerEndpoint } from '@peerage/core/ports/ports.js';
import type { PeerSource } from '@peerage/core/protocol/effect.js';
import type { Copy } from '@peerage/core/protocol/message.js';
import type { Entry } from '@peerage/core/transfer/catalogue.js';
import {
  ObjectServer,
  type ObjectServerOptions,
  type Relays,
} from '@peerage/core/transfer/serve.js';
import { ObjectStore } from '@peerage/core/transfer/store.js';
import type { Attestation } from '@peerage/core/trust/attestation.js';
import type { Identity } from '@peerage/core/trust/authority.js';
import { MemberKeyring } from '@peerage/core/trust/keyring.js';
import { keep, sha256Of, vouch } from './content.js';
import { RecordingLogger } from './log.js';
import { member } from './members.js';
import { freePort } from './ports.js';

export function keyringOf(identity: Identity): MemberKeyring {
  return new MemberKeyring(identity, () => Date.now());
}

const NO_RELAYS: Relays = {
  flight: () => undefined,
  finished: () => undefined,
  object: () => undefined,
};

/** An honest peer. */
export class Holder {
  readonly identity: Identity;
  readonly store: ObjectStore;
  readonly server: ObjectServer;
  readonly address: string;
  readonly port: number;

  private constructor(
    identity: Identity,
    store: ObjectStore,
    server: ObjectServer,
    place: { address: string; port: number },
  ) {
    this.identity = identity;
    this.store = store;
    this.server = server;
    this.address = place.address;
    this.port = place.port;
  }

  static async start(
    name: string,
    address: string,
    directory: string,
    options: Partial<Pick<ObjectServerOptions, 'uploadsMax' | 'relays' | 'giving'>> = {},
  ): Promise<Holder> {
    const identity = member(name);
    const logger = new RecordingLogger();
    const store = await ObjectStore.open({ directory, quotaBytes: 1e9, logger });
    const keyring = keyringOf(identity);
    const server = new ObjectServer({
      identity,
      keyring,
      store,
      logger,
      relays: NO_RELAYS,
      ...options,
    });
    const port = await freePort(address);
    await server.listen(address, port);
    return new Holder(identity, store, server, { address, port });
  }

  hold(url: string, content: Buffer, changes: Partial<Attestation> = {}): Promise<Entry> {
    return keep(this.store, url, content, changes);
  }

  /** What the heart would hand out for this copy. */
  source({ id, attestation }: Entry, changes: Partial<Copy> = {}): PeerSource {
    const { sizeBytes, sha256, fetchedAt, expiresAt } = attestation;
    const copy = {
      alias: `/o/${sha256}`,
      sizeBytes,
      sha256,
      attestation: `/a/${id}`,
      fetchedAt,
      expiresAt,
      ...changes,
    };
    const { kid, name } = this.identity;
    return { kind: 'peer', kid, name, address: this.address, port: this.port, copy };
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.store.close();
  }
}

/** What a scripted peer does with a request for bytes; `honest` is what it should send. */
export type ObjectScript = (
  response: ServerResponse,
  honest: Buffer,
  request: IncomingMessage,
) => void;

export interface Script {
  /** The peer's attestation says this instead. */
  readonly attested?: Partial<Attestation>;
  /** The packet that offered the copy said this instead. */
  readonly offered?: Partial<Copy>;
  readonly frame?: Buffer;
  readonly hashes?: Buffer;
  readonly object?: ObjectScript;
  readonly signer?: Identity;
}

/** A member that need not be honest. */
export class ScriptedPeer {
  readonly identity: Identity;
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  private readonly server: Server;
  private readonly answers = new Map<
    string,
    (response: ServerResponse, r: IncomingMessage) => void
  >();

  private constructor(identity: Identity) {
    this.identity = identity;
    const { key, certificate, ca } = identity;
    const tls = {
      key: key.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificate.toString(),
      ca: ca.toString(),
      requestCert: true,
    };
    this.server = createServer(tls, (request, response) => {
      const { url = '' } = request;
      this.asked.push(url);
      response.on('error', () => undefined);
      const answer = this.answers.get(url);
      if (answer !== undefined) return answer(response, request);
      response.statusCode = 404;
      response.end();
    });
    this.server.on('tlsClientError', () => undefined);
  }

  static async start(name: string, address: string): Promise<ScriptedPeer> {
    const peer = new ScriptedPeer(member(name));
    await new Promise<void>((resolve) => peer.server.listen(0, address, resolve));
    return peer;
  }

  get endpoint(): PeerEndpoint {
    const { address, port } = this.server.address() as AddressInfo;
    const { kid, name } = this.identity;
    return { kid, name, address, port };
  }

  /** Answers this path so. */
  answer(
    path: string,
    handler: (response: ServerResponse, request: IncomingMessage) => void,
  ): void {
    this.answers.set(path, handler);
  }

  /** Offers a copy of these bytes, with whatever the script does to it. */
  offer(url: string, content: Buffer, script: Script = {}): PeerSource {
    const { signed, hashes } = vouch(url, content, script.attested, script.signer ?? this.identity);
    const { sizeBytes, sha256, fetchedAt, expiresAt } = signed.attestation;
    const id = sha256Of(signed.bytes);
    const alias = `/o/${sha256}`;
    this.answers.set(`/a/${id}`, (response) => response.end(script.frame ?? signed.bytes));
    this.answers.set(`/p/${sha256}`, (response) => response.end(script.hashes ?? hashes));
    this.answers.set(alias, (response, request) => {
      const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const honest = content.subarray(start);
      response.statusCode = 206;
      if (script.object !== undefined) return script.object(response, honest, request);
      response.setHeader('content-length', honest.length);
      response.end(honest);
    });
    const attestation = `/a/${id}`;
    const copy = { alias, sizeBytes, sha256, attestation, fetchedAt, expiresAt, ...script.offered };
    return { kind: 'peer', ...this.endpoint, copy };
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
