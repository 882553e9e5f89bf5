/**
 * The serving end of a flight: its heads, pieces and attestation as frames, as they arrive (PROTOCOL
 * §6.3). A frame is a type byte, a 4-byte length and a payload:
 *
 *   0 still here (empty)   1 head   2 piece: signature, bytes   3 end: attestation
 *   4 not to be shared (empty): everybody has to fetch it for himself
 *   5 take the copy: the JSON of an offer and the kid of the node that has it
 *
 * Invariant: what cannot be ended well is not ended at all; the caller destroys the connection.
 */
import { CodedError } from '@peerage/sdk';
import { PIECE_BYTES } from '../trust/pieces.js';
import type { Flight } from './flight.js';
import type { Spool } from './spool.js';

export const FRAME = { alive: 0, head: 1, piece: 2, end: 3, unshareable: 4, copy: 5 } as const;
export const FRAME_HEADER_BYTES = 5;
/** A follower hears from us at least this often. */
export const ALIVE_MS = 1000;

/** A frame's header, and what of its payload is small; `restBytes` of payload follow it. */
function frame(type: number, payload: Buffer = Buffer.alloc(0), restBytes = 0): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt8(type);
  header.writeUInt32BE(payload.length + restBytes, 1);
  return Buffer.concat([header, payload]);
}

/** The frames of a flight from a piece on. @throws CodedError `E_FLIGHT_LOST` */
export async function* relayFrames(flight: Flight, fromPiece: number): AsyncGenerator<Buffer> {
  const { track } = flight;
  let held: Spool | undefined;
  let heads = 0;
  let piece = fromPiece;
  try {
    for (;;) {
      if (held === undefined && flight.headSent) {
        held = flight.spool;
        held.hold();
      }
      if (track.state === 'unshareable') return yield frame(FRAME.unshareable);
      if (track.copy !== undefined) {
        const { kid, copy } = track.copy;
        return yield frame(FRAME.copy, Buffer.from(JSON.stringify({ ...copy, kid })));
      }
      while ((track.headsFrom[heads] ?? Infinity) <= piece) {
        const head = track.heads[heads];
        heads += 1;
        if (head !== undefined) yield frame(FRAME.head, head.bytes);
      }
      const signature = track.signatures[piece];
      if (signature !== undefined) {
        const bytes = await readPiece(flight, piece);
        yield frame(FRAME.piece, signature, bytes.length);
        yield bytes;
        piece += 1;
      } else if (track.attestation !== undefined) {
        return yield frame(FRAME.end, track.attestation.bytes);
      } else if (track.state === 'failed') {
        throw new CodedError('E_FLIGHT_LOST', 'the download that was followed here failed');
      } else {
        await track.change(ALIVE_MS);
        if (track.signatures[piece] === undefined && track.state === 'open')
          yield frame(FRAME.alive);
      }
    }
  } finally {
    held?.release();
  }
}

async function readPiece(flight: Flight, piece: number): Promise<Buffer> {
  const start = piece * PIECE_BYTES;
  const end = Math.min(start + PIECE_BYTES, flight.receivedBytes);
  const chunks: Buffer[] = [];
  for await (const chunk of flight.spool.read(start, end)) chunks.push(chunk);
  // A relay has the piece in one chunk, and in memory: it goes on without being copied.
  const [only] = chunks;
  return only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks);
}
