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
import { CodedError } from '@peerage/sdk';
import { BoundedMap } from '../base/bounded.js';
import type { PeerEndpoint } from '../ports/ports.js';
import type { PeerSource } from '../protocol/effect.js';
import {
  ATTESTATION_BYTES_MAX,
  openAttestation,
  type SignedAttestation,
} from '../trust/attestation.js';
import type { Identity } from '../trust/authority.js';
import {
  chainHead,
  cutPieces,
  HASH_BYTES,
  isPiece,
  PIECE_BYTES,
  pieceCount,
} from '../trust/pieces.js';
import { checkNodeCertificate } from '../trust/policy.js';
import type { Keyring } from '../wire/open.js';

/** Time until a peer's head must be there, and between two reads of its body. */
const HEAD_MS = 3000;
const STALL_MS = 5000;
/** Connections kept per peer, and peers whose connections are kept. */
const SOCKETS_PER_PEER = 8;
const PEERS_MAX = 256;

/** How many peers are asked one after another before every source counts as busy. */
const RELAY_TRIES_MAX = 64;
/** Relays that a busy peer may name, and the size of its list. */
const RELAYS_NAMED_MAX = 16;
const RELAY_LIST_BYTES_MAX = 8192;

/** Largest object that is taken from a peer: its piece list is then 8 MiB at most. */
const OBJECT_BYTES_MAX = 64 * 1024 ** 3;

/** What a peer offers, verified: its bytes can be asked for from any piece on. */
export interface PeerOffer {
  readonly source: PeerSource;
  readonly signed: SignedAttestation;
  readonly hashes: Buffer;
}

/** Why a peer's bytes are not used. */
export class PeerFault extends CodedError {
  /** `lied`: what it sent contradicts what it signed. `failed`: it did not answer or broke off. */
  readonly result: 'lied' | 'failed';

  constructor(result: 'lied' | 'failed', message: string, cause?: unknown) {
    super(result === 'lied' ? 'E_PEER_LIED' : 'E_PEER_FAILED', message, { cause });
    this.result = result;
  }
}

export class PeerFetcher {
  private readonly identity: Identity;
  private readonly keyring: Keyring;
  private readonly locate: (kid: string) => PeerEndpoint | undefined;
  private readonly agents = new BoundedMap<string, Agent>(PEERS_MAX);

  /** @param locate where a live peer is; relays are named by kid alone */
  constructor(
    identity: Identity,
    keyring: Keyring,
    locate: (kid: string) => PeerEndpoint | undefined,
  ) {
    this.identity = identity;
    this.keyring = keyring;
    this.locate = locate;
  }

  /** Gets and verifies what the peer says of its copy. @throws PeerFault */
  async offer(source: PeerSource): Promise<PeerOffer> {
    const { copy } = source;
    if (copy.sizeBytes > OBJECT_BYTES_MAX)
      throw new PeerFault('lied', 'the offered object is too large');
    const small = copy.sizeBytes <= PIECE_BYTES;
    const [frame, list] = await Promise.all([
      this.getWhole(source, copy.attestation, ATTESTATION_BYTES_MAX),
      small
        ? undefined
        : this.getWhole(source, copy.alias.replace(/^\/o\//, '/p/'), listBytes(copy.sizeBytes)),
    ]);
    const verdict = openAttestation(frame, this.keyring);
    if (!verdict.ok) throw new PeerFault('lied', `attestation refused: ${verdict.reason}`);
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

  /** The verified pieces from `piece` on. @throws PeerFault in the iteration */
  async *pieces({ source, hashes }: PeerOffer, piece: number): AsyncGenerator<Buffer> {
    const { sizeBytes, alias } = source.copy;
    const start = piece * PIECE_BYTES;
    if (start >= sizeBytes) return;
    const range = { range: `bytes=${start}-` };
    const response = await this.attach(source, alias, () => alias, range);
    if (response.statusCode !== 206 && !(start === 0 && response.statusCode === 200)) {
      response.destroy();
      throw new PeerFault('failed', `the peer answered ${response.statusCode}`);
    }
    let at = piece;
    for await (const bytes of cutPieces(bounded(response, sizeBytes - start))) {
      if (!isPiece(bytes, hashes, at)) {
        response.destroy();
        throw new PeerFault('lied', `piece ${at} does not match its hash`);
      }
      at += 1;
      yield bytes;
    }
  }

  /**
   * Asks a peer for a body; a busy one names those that it already serves, and they are asked in
   * turn, so that a crowd becomes a chain (PROTOCOL §6.4).
   * @param pathAt the path to ask a relay for, by what the busy peer said of it
   * @throws PeerFault
   */
  async attach(
    source: PeerEndpoint,
    path: string,
    pathAt: (named: string) => string,
    headers: Record<string, string>,
  ): Promise<IncomingMessage> {
    const queue: Array<{ readonly peer: PeerEndpoint; readonly path: string }> = [
      { peer: source, path },
    ];
    const tried = new Set([this.identity.kid]);
    for (let tries = 0; tries < RELAY_TRIES_MAX; tries += 1) {
      const next = queue.shift();
      if (next === undefined) break;
      if (tried.has(next.peer.kid)) continue;
      tried.add(next.peer.kid);
      const response = await this.send(next.peer, next.path, headers);
      if (response.statusCode !== 503) return response;
      for (const relay of readRelays(await collect(response, RELAY_LIST_BYTES_MAX, next.path))) {
        const peer = this.locate(relay.kid);
        if (peer !== undefined) queue.push({ peer, path: pathAt(relay.path) });
      }
    }
    throw new PeerFault('failed', 'every source is busy');
  }

  close(): void {
    for (const agent of this.agents.values()) agent.destroy();
  }

  private async getWhole(source: PeerEndpoint, path: string, limitBytes: number): Promise<Buffer> {
    const response = await this.send(source, path, {});
    if (response.statusCode !== 200) {
      response.destroy();
      throw new PeerFault('failed', `the peer answered ${response.statusCode} for ${path}`);
    }
    return collect(response, limitBytes, path);
  }

  private send(
    source: PeerEndpoint,
    path: string,
    headers: Record<string, string>,
  ): Promise<IncomingMessage> {
    const { address: host, port } = source;
    return new Promise((resolve, reject) => {
      const outgoing = request({
        host,
        port,
        path,
        headers,
        agent: this.agentFor(source),
        servername: '',
      });
      const timer = setTimeout(() => {
        outgoing.destroy(new PeerFault('failed', `no answer within ${HEAD_MS} ms`));
      }, HEAD_MS);
      outgoing.once('response', (response) => {
        clearTimeout(timer);
        response.setTimeout(STALL_MS, () => {
          response.destroy(new PeerFault('failed', `no bytes for ${STALL_MS} ms`));
        });
        resolve(response);
      });
      outgoing.once('error', (error) => {
        clearTimeout(timer);
        reject(asFault(error));
      });
      outgoing.end();
    });
  }

  /** One pool of connections per kid, so that a kept connection is always the right peer's. */
  private agentFor({ kid }: PeerEndpoint): Agent {
    const known = this.agents.touch(kid);
    if (known !== undefined) return known;
    const { key, certificate, ca } = this.identity;
    const agent = new Agent({
      keepAlive: true,
      maxSockets: SOCKETS_PER_PEER,
      key: key.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificate.toString(),
      ca: ca.toString(),
      minVersion: 'TLSv1.3',
      checkServerIdentity: (_host, peer) => this.judge(peer.raw, kid),
    });
    this.agents.set(kid, agent)?.destroy();
    return agent;
  }

  private judge(certificate: Buffer, kid: string): Error | undefined {
    const verdict = checkNodeCertificate(certificate, this.identity.ca, Date.now());
    if (!verdict.ok) return new PeerFault('failed', `certificate refused: ${verdict.fault}`);
    if (verdict.node.kid !== kid) return new PeerFault('failed', 'another node answered');
    if (this.keyring.isRevoked(verdict.node.name)) return new PeerFault('failed', 'revoked');
    return undefined;
  }
}

/** A body as a stream whose errors are faults of the peer. */
export async function* bodyOf(response: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    yield* response as AsyncIterable<Buffer>;
  } catch (error) {
    throw asFault(error);
  }
}

/** A relay that a busy peer names. */
interface Relay {
  readonly kid: string;
  readonly path: string;
}

/** The relays that a busy peer named; what is not plain is passed over. */
function readRelays(text: Buffer): Relay[] {
  try {
    const parsed: unknown = JSON.parse(text.toString('utf8'));
    const list: unknown[] = Array.isArray(parsed) ? parsed.slice(0, RELAYS_NAMED_MAX) : [];
    return list.filter((entry): entry is Relay => {
      const { kid, path } = (entry ?? {}) as { kid?: unknown; path?: unknown };
      return (
        typeof kid === 'string' && typeof path === 'string' && /^(\/f\/[0-9a-f]{64})?$/.test(path)
      );
    });
  } catch {
    return [];
  }
}

/** A whole small body. @throws PeerFault */
export async function collect(
  response: IncomingMessage,
  limitBytes: number,
  what: string,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limitBytes)
        throw new PeerFault('lied', `${what} is larger than ${limitBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw asFault(error);
  }
  return Buffer.concat(chunks);
}

function listBytes(sizeBytes: number): number {
  return pieceCount(sizeBytes) * HASH_BYTES;
}

function asFault(error: unknown): PeerFault {
  if (error instanceof PeerFault) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PeerFault('failed', message, error);
}

/** The body as it comes; refuses one that is longer or shorter than was offered. */
async function* bounded(response: IncomingMessage, expectedBytes: number): AsyncGenerator<Buffer> {
  let total = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      total += chunk.length;
      if (total > expectedBytes) throw new PeerFault('lied', 'the body is longer than was offered');
      yield chunk;
    }
  } catch (error) {
    throw asFault(error);
  }
  if (total < expectedBytes) throw new PeerFault('failed', 'the body ended early');
}
