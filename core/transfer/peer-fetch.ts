/**
 * Fetching from a peer: mutual TLS 1.3, the peer pinned by the kid that signed the offer; first
 * the attestation and the piece hashes, then the bytes, each piece verified before it is passed
 * on. PROTOCOL §4.5, §4.6, §6.2, §6.3.
 *
 * Invariants: nothing is yielded that does not match a piece hash whose chain the attestation
 * holds; a peer that breaks a promise is reported as `lied`, one that breaks off as `failed`.
 */
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { BoundedMap } from '../base/bounded.js';
import { ERRAND_BYTES_MAX, ERRAND_HEADER, ERRAND_ROUTE } from '../ports/errands.js';
import type { PeerEndpoint } from '../ports/ports.js';
import type { PeerSource } from '../protocol/effect.js';
import {
  ATTESTATION_BYTES_MAX,
  openAttestation,
  type SignedAttestation,
} from '../trust/attestation.js';
import type { Identity } from '../trust/authority.js';
import type { Witness } from '../trust/keyring.js';
import {
  chainHead,
  cutPieces,
  HASH_BYTES,
  isPiece,
  PIECE_BYTES,
  pieceCount,
} from '../trust/pieces.js';
import { checkNodeCertificate } from '../trust/policy.js';
import {
  asFault,
  bounded,
  collect,
  PeerFault,
  readRelays,
  refusedAttestation,
  within,
} from './peer-body.js';

/** How long a peer may take; a slow one must not be worse than the next source. */
export interface PeerTimes {
  /** Until the head of an answer is there. */
  readonly headMs: number;
  /** Between two reads of a body. */
  readonly stallMs: number;
  /** For an attestation or a list of piece hashes, as a whole. */
  readonly wholeMs: number;
  /** For one piece: 17 kB/s at least. */
  readonly pieceMs: number;
}

export const PEER_TIMES: PeerTimes = {
  headMs: 3000,
  stallMs: 5000,
  wholeMs: 10_000,
  pieceMs: 15_000,
};
/** An errand is answered when the origin has answered: the server drops an idle reader after 15 s. */
const ERRAND_HEAD_MS = 14_000;
/** Largest list of piece hashes: of an object of 256 GiB. */
const LIST_BYTES_MAX = 32 * 1024 * 1024;
/** Connections kept per peer, and peers whose connections are kept. */
const SOCKETS_PER_PEER = 8;
const PEERS_MAX = 256;

/** How many peers are asked one after another before every source counts as busy. */
const RELAY_TRIES_MAX = 64;
/** Relays that a busy peer may name, and the size of its list. */
const RELAY_LIST_BYTES_MAX = 8192;

/** Relays that one download may find bad before the source itself is given up. */
const RELAYS_EXCLUDED_MAX = 3;
/** Where all are busy for a moment (one has just finished), they are asked again. */
const ATTACH_ROUNDS_MAX = 20;
const ATTACH_PAUSE_MS = 150;

/** What is sent beside the headers, and how long the answer may take. */
interface Sent {
  readonly method: string;
  readonly body: Uint8Array | undefined;
  readonly headMs: number;
}

interface Place {
  readonly peer: PeerEndpoint;
  readonly path: string;
}

/** A body that has begun, and who sends it. */
export interface Attached {
  readonly response: IncomingMessage;
  readonly peer: PeerEndpoint;
}

/** What a peer offers, verified: its bytes can be asked for from any piece on. */
export interface PeerOffer {
  readonly source: PeerSource;
  readonly signed: SignedAttestation;
  readonly hashes: Buffer;
}

export class PeerFetcher {
  private readonly identity: Identity;
  private readonly keyring: Witness;
  private readonly locate: (kid: string) => PeerEndpoint | undefined;
  private readonly times: PeerTimes;
  /** Our key and certificates, read once: reading them costs more than the rest of a handshake. */
  private secureContext: SecureContext;
  private readonly agents = new BoundedMap<string, { readonly agent: Agent; name: string }>(
    PEERS_MAX,
  );
  /** Of an earlier certificate of ours; what they are used for runs out. */
  private readonly leaving = new BoundedMap<string, { readonly agent: Agent; name: string }>(
    PEERS_MAX,
  );

  /** @param locate where a live peer is; relays are named by kid alone */
  constructor(
    identity: Identity,
    keyring: Witness,
    locate: (kid: string) => PeerEndpoint | undefined,
    times: PeerTimes = PEER_TIMES,
  ) {
    this.identity = identity;
    this.keyring = keyring;
    this.locate = locate;
    this.times = times;
    this.secureContext = secureContextOf(identity);
  }

  /** Gets and verifies what the peer says of its copy. @throws PeerFault */
  async offer(source: PeerSource): Promise<PeerOffer> {
    const { copy } = source;
    const small = copy.sizeBytes <= PIECE_BYTES;
    if (listBytes(copy.sizeBytes) > LIST_BYTES_MAX) {
      throw new PeerFault('lied', `an object of ${copy.sizeBytes} bytes is too large to be true`);
    }
    const [frame, list] = await Promise.all([
      this.getWhole(source, copy.attestation, ATTESTATION_BYTES_MAX),
      small
        ? undefined
        : this.getWhole(source, copy.alias.replace(/^\/o\//, '/p/'), listBytes(copy.sizeBytes)),
    ]);
    const verdict = openAttestation(frame, this.keyring);
    if (!verdict.ok) throw refusedAttestation(verdict.reason);
    const { attestation } = verdict.value;
    if (attestation.sha256 !== copy.sha256 || attestation.sizeBytes !== copy.sizeBytes) {
      throw new PeerFault('lied', 'the attestation is of other bytes than were offered');
    }
    const own = copy.sizeBytes === 0 ? Buffer.alloc(0) : Buffer.from(copy.sha256, 'hex');
    const hashes = list ?? own;
    const complete = hashes.length === pieceCount(copy.sizeBytes) * HASH_BYTES;
    if (!complete || chainHead(hashes) !== attestation.chain) {
      throw new PeerFault('lied', 'the piece hashes do not make the attested chain');
    }
    return { source, signed: verdict.value, hashes };
  }

  /**
   * The verified pieces from `piece` on. What a relay does wrong is not held against the peer that
   * named it: the relay is left out, and the rest comes from elsewhere.
   * @throws PeerFault in the iteration
   */
  async *pieces(offer: PeerOffer, piece: number): AsyncGenerator<Buffer> {
    const { source } = offer;
    const excluded = new Set<string>();
    let at = piece;
    while (at * PIECE_BYTES < source.copy.sizeBytes) {
      const range = { range: `bytes=${at * PIECE_BYTES}-` };
      const { alias } = source.copy;
      const attached = await this.attach(source, alias, () => alias, range, excluded);
      try {
        for await (const bytes of this.piecesOf(attached.response, offer, at)) {
          at += 1;
          yield bytes;
        }
      } catch (error) {
        const relay = attached.peer.kid;
        if (relay === source.kid || excluded.size >= RELAYS_EXCLUDED_MAX) throw error;
        excluded.add(relay);
      } finally {
        attached.response.destroy();
      }
    }
  }

  private async *piecesOf(
    response: IncomingMessage,
    { source, hashes }: PeerOffer,
    piece: number,
  ): AsyncGenerator<Buffer> {
    const start = piece * PIECE_BYTES;
    if (response.statusCode !== 206 && !(start === 0 && response.statusCode === 200)) {
      throw new PeerFault('failed', `the peer answered ${response.statusCode}`);
    }
    const { pieceMs } = this.times;
    const arriving = cutPieces(bounded(response, source.copy.sizeBytes - start));
    for (let at = piece; ; at += 1) {
      const next = await within(pieceMs, response, `a piece took over ${pieceMs} ms`, () =>
        arriving.next(),
      );
      if (next.done === true) return;
      if (!isPiece(next.value, hashes, at)) {
        throw new PeerFault('lied', `piece ${at} does not match its hash`);
      }
      yield next.value;
    }
  }

  /**
   * Asks a peer for a body; a busy one names those that it already serves, and they are asked in
   * turn, so that a crowd becomes a chain (PROTOCOL §6.4).
   * @param pathAt the path to ask a relay for, by what the busy peer said of it
   * @param excluded relays (by kid) that are not to be asked
   * @throws PeerFault
   */
  async attach(
    source: PeerEndpoint,
    path: string,
    pathAt: (named: string) => string,
    headers: Record<string, string>,
    excluded: ReadonlySet<string> = new Set(),
  ): Promise<Attached> {
    for (let round = 0; round < ATTACH_ROUNDS_MAX; round += 1) {
      const tried = new Set([this.identity.kid, ...excluded]);
      const queue: Place[] = [{ peer: source, path }];
      for (const place of queue) {
        if (tried.has(place.peer.kid) || tried.size > RELAY_TRIES_MAX) continue;
        tried.add(place.peer.kid);
        const answer = await this.ask(place, source.kid, headers);
        if (answer === undefined) continue;
        if (answer.statusCode !== 503) return { response: answer, peer: place.peer };
        const list = await collect(answer, RELAY_LIST_BYTES_MAX, place.path).catch(() =>
          Buffer.alloc(0),
        );
        for (const relay of readRelays(list)) {
          const peer = this.locate(relay.kid);
          if (peer !== undefined) queue.push({ peer, path: pathAt(relay.path) });
        }
      }
      await pause(ATTACH_PAUSE_MS);
    }
    throw new PeerFault('failed', 'every source is busy');
  }

  /** The answer at a place; `undefined` from a relay that cannot help (any more). */
  private async ask(
    { peer, path }: Place,
    source: string,
    headers: Record<string, string>,
  ): Promise<IncomingMessage | undefined> {
    if (peer.kid === source) return this.send(peer, path, headers);
    try {
      const response = await this.send(peer, path, headers);
      const { statusCode = 0 } = response;
      if (statusCode === 503 || statusCode < 300) return response;
      response.destroy();
    } catch {
      // A relay that is gone: the next one is asked.
    }
    return undefined;
  }

  close(): void {
    for (const { agent } of this.agents.values()) agent.destroy();
  }

  /** Cuts the connections to members that are revoked now. */
  dropRevoked(): void {
    for (const agents of [this.agents, this.leaving]) {
      for (const [kid, { agent, name }] of [...agents]) {
        if (!this.keyring.isRevoked(name)) continue;
        agents.delete(kid);
        agent.destroy();
      }
    }
  }

  /** Our certificate is another one, or the CAs that are believed: connections to come show it, those in use run out. */
  renewed(): void {
    this.secureContext = secureContextOf(this.identity);
    for (const [kid, entry] of this.agents) {
      this.leaving.get(kid)?.agent.destroy();
      this.leaving.set(kid, entry)?.agent.destroy();
    }
    this.agents.clear();
  }

  /** Has a member do something for us: what, in the header, and a body. @throws PeerFault */
  async errand(
    source: PeerEndpoint,
    head: string,
    body: Uint8Array,
  ): Promise<{ readonly status: number; readonly body: Buffer }> {
    const headers = { [ERRAND_HEADER]: head, 'content-length': String(body.length) };
    const sent = { method: 'POST', body, headMs: ERRAND_HEAD_MS };
    const response = await this.send(source, ERRAND_ROUTE, headers, sent);
    const whole = await within(ERRAND_HEAD_MS, response, 'the errand took too long', () =>
      collect(response, 2 * ERRAND_BYTES_MAX, 'the answer to an errand'),
    );
    return { status: response.statusCode ?? 502, body: whole };
  }

  /** A whole small body of a member. @throws PeerFault */
  async getWhole(source: PeerEndpoint, path: string, limitBytes: number): Promise<Buffer> {
    const response = await this.send(source, path, {});
    if (response.statusCode !== 200) {
      response.destroy();
      throw new PeerFault('failed', `the peer answered ${response.statusCode} for ${path}`);
    }
    const { wholeMs } = this.times;
    return within(wholeMs, response, `${path} took over ${wholeMs} ms`, () => {
      return collect(response, limitBytes, path);
    });
  }

  private send(
    source: PeerEndpoint,
    path: string,
    headers: Record<string, string>,
    { method, body, headMs }: Sent = { method: 'GET', body: undefined, headMs: this.times.headMs },
  ): Promise<IncomingMessage> {
    const { address: host, port } = source;
    const { stallMs } = this.times;
    return new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request({
        method,
        host,
        port,
        path,
        headers,
        agent: this.agentFor(source),
        servername: '',
      });
      const timer = setTimeout(() => {
        outgoing.destroy(new PeerFault('failed', `no answer within ${headMs} ms`));
      }, headMs);
      outgoing.once('response', (response) => {
        clearTimeout(timer);
        response.setTimeout(stallMs, () => {
          response.destroy(new PeerFault('failed', `no bytes for ${stallMs} ms`));
        });
        resolve(response);
      });
      outgoing.once('error', (error) => {
        clearTimeout(timer);
        reject(asFault(error));
      });
      outgoing.end(body);
    }).catch((error: unknown) => {
      // Also what cannot even be asked for: a path or an address of the peer's making.
      throw asFault(error);
    });
  }

  /** One pool of connections per kid, so that a kept connection is always the right peer's. */
  private agentFor({ kid, name }: PeerEndpoint): Agent {
    const known = this.agents.touch(kid);
    if (known !== undefined) return known.agent;
    const agent = new Agent({
      keepAlive: true,
      maxSockets: SOCKETS_PER_PEER,
      secureContext: this.secureContext,
      checkServerIdentity: (_host, peer) => this.judge(peer.raw, kid),
    });
    this.agents.set(kid, { agent, name })?.agent.destroy();
    return agent;
  }

  private judge(certificate: Buffer, kid: string): Error | undefined {
    const verdict = checkNodeCertificate(certificate, this.identity.anchors, Date.now());
    if (!verdict.ok) return new PeerFault('failed', `certificate refused: ${verdict.fault}`);
    if (verdict.node.kid !== kid) return new PeerFault('failed', 'another node answered');
    if (this.keyring.isRevoked(verdict.node.name)) return new PeerFault('failed', 'revoked');
    return undefined;
  }
}

function secureContextOf({ key, certificate, anchors }: Identity): SecureContext {
  return createSecureContext({
    key: key.export({ type: 'pkcs8', format: 'pem' }),
    cert: certificate.toString(),
    ca: anchors.map(String),
    minVersion: 'TLSv1.3',
  });
}

function listBytes(sizeBytes: number): number {
  return pieceCount(sizeBytes) * HASH_BYTES;
}
