/**
 * Bodies that peers send: read with limits of size and time, every fault named as the peer's. Used
 * by `peer-fetch` and `fetch`.
 */
import type { IncomingMessage } from 'node:http';
import { CodedError } from '@peerage/sdk';
import type { RejectionReason } from '../wire/rejection.js';

/** Relays that a busy peer may name. */
const RELAYS_NAMED_MAX = 16;

/** Why a peer's bytes are not used. */
export class PeerFault extends CodedError {
  /** `lied`: what it sent contradicts what it signed. `failed`: it did not answer or broke off. */
  readonly result: 'lied' | 'failed';

  constructor(result: 'lied' | 'failed', message: string, cause?: unknown) {
    super(result === 'lied' ? 'E_PEER_LIED' : 'E_PEER_FAILED', message, { cause });
    this.result = result;
  }
}

/** An attestation was not accepted: what its signer is or did is no fault of who passed it on. */
export function refusedAttestation(reason: RejectionReason): PeerFault {
  const signers: readonly RejectionReason[] = [
    'unknown-kid',
    'revoked',
    'certificate',
    'contradiction',
  ];
  return new PeerFault(
    signers.includes(reason) ? 'failed' : 'lied',
    `attestation refused: ${reason}`,
  );
}

/** A body as a stream whose errors are faults of the peer. */
export async function* bodyOf(response: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    yield* response as AsyncIterable<Buffer>;
  } catch (error) {
    throw asFault(error);
  }
}

/** A relay that a busy peer names: it has the same bytes, or will soon. */
export interface Relay {
  readonly kid: string;
  /** Where it serves them, if that is another path. */
  readonly path: string;
}

/** The relays that a busy peer named; what is not plain is passed over. */
export function readRelays(text: Buffer): Relay[] {
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

/** Waits, and breaks the response off when it takes too long. */
export async function within<T>(
  limitMs: number,
  response: IncomingMessage,
  why: string,
  wait: () => Promise<T>,
): Promise<T> {
  const timer = setTimeout(() => response.destroy(new PeerFault('failed', why)), limitMs);
  try {
    return await wait();
  } finally {
    clearTimeout(timer);
  }
}

export function asFault(error: unknown): PeerFault {
  if (error instanceof PeerFault) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PeerFault('failed', message, error);
}

/** The body as it comes; refuses one that is longer or shorter than was offered. */
export async function* bounded(
  response: IncomingMessage,
  expectedBytes: number,
): AsyncGenerator<Buffer> {
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
