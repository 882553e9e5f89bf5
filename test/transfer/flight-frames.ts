/** Flights of scripted peers: the frames of an honest one, and what a test makes of them. */
import type { FlightSource } from '@peerage/core/protocol/effect.js';
import { FRAME, FRAME_HEADER_BYTES } from '@peerage/core/transfer/relay.js';
import { type FlightDescription, signHead, signPiece } from '@peerage/core/trust/flight.js';
import { PIECE_BYTES, PieceHasher } from '@peerage/core/trust/pieces.js';
import { contentOf, vouch } from '../fakes/content.js';
import { signerOf } from '../fakes/members.js';
import type { ScriptedPeer } from '../fakes/peers.js';

export const PATH = `/f/${'ab'.repeat(32)}`;
export const content = contentOf('flights', 5 * PIECE_BYTES + 77);
export const HEADERS = { 'cache-control': 'max-age=60', etag: '"one"' };

/** One frame of a flight's stream. */
export function frame(type: number, ...payload: Buffer[]): Buffer {
  const body = Buffer.concat(payload);
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt8(type);
  header.writeUInt32BE(body.length, 1);
  return Buffer.concat([header, body]);
}

/** The frames of an honest flight: head, pieces, end. */
export function framesOf(
  peer: ScriptedPeer,
  url: string,
  bytes: Buffer,
  changes: Partial<FlightDescription> = {},
): Buffer[] {
  const { identity } = peer;
  const about = { url, variant: '*', status: 200, headers: HEADERS, tls: false };
  const description = { ...about, sizeBytes: bytes.length, firstPiece: 0, ...changes };
  const head = signHead(description, signerOf(identity), identity.certificate.publicKey);
  const frames = [frame(FRAME.head, head.bytes)];
  const hasher = new PieceHasher();
  hasher.onPiece = (piece, chain) => {
    const part = bytes.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES);
    frames.push(frame(FRAME.piece, signPiece(head, piece, chain, identity.key), part));
  };
  hasher.update(bytes);
  hasher.digest();
  const { headers } = description;
  const { signed } = vouch(url, bytes, { headers, tls: false }, identity);
  return [...frames, frame(FRAME.end, signed.bytes)];
}

/** Makes a peer offer a flight that consists of these frames. */
export function flightOf(peer: ScriptedPeer, frames: readonly Buffer[], ends = true): FlightSource {
  peer.answer(PATH, (response) => {
    response.write(Buffer.concat(frames), () => (ends ? response.end() : response.destroy()));
  });
  const { kid, name, address, port } = peer.endpoint;
  return { kind: 'flight', kid, name, address, port, flight: PATH };
}
