/**
 * The following end of a flight: reads the frames of `relay`, verifies each piece before it is
 * appended, and records its signature, so that this node is a relay at once. PROTOCOL §5.2, §6.3.
 *
 * Invariants: no byte is appended that is not under a member's signature of exactly this URL; a
 * head that contradicts the first one ends it; silence ends it.
 */

import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { openAttestation, type SignedAttestation } from '../trust/attestation.js';
import {
  HEAD_BYTES_MAX,
  openHead,
  PIECE_SIGNATURE_BYTES,
  type SignedHead,
  verifyPiece,
} from '../trust/flight.js';
import type { Witness } from '../trust/keyring.js';
import { nextLink, PIECE_BYTES } from '../trust/pieces.js';
import type { Ask } from './ask.js';
import type { Flight } from './flight.js';
import { isShareable, rangeValidator } from './freshness.js';
import { type CopyPlace, readCopyPlace } from './landed-copy.js';
import { PeerFault, refusedAttestation } from './peer-body.js';
import { FRAME, FRAME_HEADER_BYTES } from './relay.js';

/** A relay that is alive but has no new piece for this long is given up. */
const PIECE_WAIT_MS = 20_000;
/** A flight that changes hands more often is given up. */
const HEADS_MAX = 32;
/** Clocks differ by this much at most. */
const CLOCK_TOLERANCE_MS = 60_000;

interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

/** Splits a stream into frames. @throws PeerFault on a frame that is too large or cut off */
async function* readFrames(stream: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  const limit = Math.max(HEAD_BYTES_MAX, PIECE_BYTES + PIECE_SIGNATURE_BYTES);
  let parts: Buffer[] = [];
  let size = 0;
  let wanted = FRAME_HEADER_BYTES;
  let type: number | undefined;
  for await (const chunk of stream) {
    let rest = chunk;
    while (rest.length > 0 || size === wanted) {
      const part = rest.subarray(0, wanted - size);
      rest = rest.subarray(part.length);
      parts.push(part);
      size += part.length;
      if (size < wanted) break;
      const whole = Buffer.concat(parts, size);
      parts = [];
      size = 0;
      if (type === undefined) {
        type = whole.readUInt8();
        wanted = whole.readUInt32BE(1);
        if (wanted > limit) throw new PeerFault('lied', `a frame of ${wanted} bytes`);
        if (wanted > 0) continue;
      }
      yield { type, payload: wanted === 0 ? Buffer.alloc(0) : whole };
      type = undefined;
      wanted = FRAME_HEADER_BYTES;
    }
  }
}

/** How a follower tells of the head, once. */
export type BeginFlight = (head: SignedHead) => Promise<void>;

export interface FollowOptions {
  readonly flight: Flight;
  readonly ask: Ask;
  readonly keyring: Witness;
  readonly stream: AsyncIterable<Buffer>;
  /** Waits for a frame, and breaks the stream off when it takes too long. */
  readonly within: <T>(limitMs: number, wait: () => Promise<T>) => Promise<T>;
  readonly begin: BeginFlight;
}

/**
 * Follows a flight to its end.
 * @returns the attestation that its node made, or where its bytes are to be had
 * @throws PeerFault when the relay lies, breaks off, or falls silent
 */
export async function followFlight(
  options: FollowOptions,
): Promise<SignedAttestation | CopyPlace | 'unshareable'> {
  const follower = new Follower(options);
  let pieceAt = Date.now();
  const frames = readFrames(options.stream);
  for (;;) {
    const leftMs = pieceAt + PIECE_WAIT_MS - Date.now();
    const next = await options.within(Math.max(1, leftMs), () => frames.next());
    if (next.done === true) break;
    const { type, payload } = next.value;
    if (type === FRAME.unshareable) return 'unshareable';
    if (type === FRAME.copy) return readCopyPlace(payload);
    if (type === FRAME.head) await follower.takeHead(payload);
    if (type === FRAME.end) return follower.takeEnd(payload);
    if (type === FRAME.piece) {
      await follower.takePiece(payload);
      pieceAt = Date.now();
    } else if (Date.now() - pieceAt > PIECE_WAIT_MS) {
      throw new PeerFault('failed', `no piece for ${PIECE_WAIT_MS} ms`);
    }
  }
  throw new PeerFault('failed', 'the relay broke off');
}

class Follower {
  private readonly options: FollowOptions;
  private head: SignedHead | undefined;

  constructor(options: FollowOptions) {
    this.options = options;
  }

  async takeHead(bytes: Buffer): Promise<void> {
    const { flight, ask, keyring, begin } = this.options;
    const verdict = openHead(bytes, keyring);
    if (!verdict.ok) throw new PeerFault('lied', `head refused: ${verdict.reason}`);
    const { description } = verdict.value;
    const variantFits = description.variant === '*' || description.variant === ask.variant;
    if (description.url !== ask.url || description.status !== 200 || !variantFits) {
      throw new PeerFault('lied', 'the head is of another resource');
    }
    if (!isShareable(description.tls, ask.policy))
      throw new PeerFault('failed', 'it came without TLS');
    const [first] = flight.track.heads;
    if (first !== undefined && !sameEntity(first, verdict.value)) {
      throw new PeerFault('failed', 'the head is of another version of the resource');
    }
    this.head = verdict.value;
    const current = flight.track.heads.at(-1)?.hash.equals(verdict.value.hash) ?? false;
    if (flight.track.heads.length >= HEADS_MAX)
      throw new PeerFault('failed', 'it changed hands too often');
    if (first === undefined) await begin(verdict.value);
    if (!current) flight.track.addHead(verdict.value);
  }

  async takePiece(payload: Buffer): Promise<void> {
    const { flight } = this.options;
    const signature = payload.subarray(0, PIECE_SIGNATURE_BYTES);
    const bytes = payload.subarray(PIECE_SIGNATURE_BYTES);
    const piece = flight.track.signatures.length;
    if (
      this.head === undefined ||
      bytes.length === 0 ||
      flight.receivedBytes !== piece * PIECE_BYTES
    ) {
      throw new PeerFault('lied', 'a piece out of order');
    }
    const { totalBytes } = flight;
    if (totalBytes !== undefined && flight.receivedBytes + bytes.length > totalBytes) {
      throw new PeerFault('lied', 'more bytes than the head announced');
    }
    const hash = createHash('sha256').update(bytes).digest();
    const chain = nextLink(flight.hasher.chain, hash);
    if (!verifyPiece(this.head, piece, chain, signature)) {
      throw new PeerFault('lied', `piece ${piece} does not match its signature`);
    }
    await flight.append(bytes, hash);
    flight.track.addPiece(Buffer.from(signature));
  }

  takeEnd(bytes: Buffer): SignedAttestation {
    const { flight, ask, keyring } = this.options;
    const verdict = openAttestation(bytes, keyring);
    if (!verdict.ok) throw refusedAttestation(verdict.reason);
    const { attestation } = verdict.value;
    const { description } = this.head ?? {};
    const whole = flight.totalBytes === undefined || flight.totalBytes === flight.receivedBytes;
    const fits =
      whole &&
      attestation.url === ask.url &&
      attestation.sizeBytes === flight.receivedBytes &&
      attestation.status === description?.status &&
      attestation.variant === description.variant &&
      attestation.tls === description.tls &&
      JSON.stringify(attestation.headers) === JSON.stringify(description.headers) &&
      Math.abs(attestation.fetchedAt - Date.now()) <= CLOCK_TOLERANCE_MS;
    if (!fits) {
      throw new PeerFault('lied', 'the attestation is of something else');
    }
    return verdict.value;
  }
}

/** Whether two heads speak of the same bytes, as far as heads can tell. */
function sameEntity(a: SignedHead, b: SignedHead): boolean {
  const sizes = a.description.sizeBytes === b.description.sizeBytes;
  return sizes && rangeValidator(a.description.headers) === rangeValidator(b.description.headers);
}
