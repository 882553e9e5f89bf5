/**
 * Pieces of an object and the chain over them (PROTOCOL §6.3): c₀ = 32 zero bytes, cᵢ =
 * SHA-256(cᵢ₋₁ ‖ SHA-256(pieceᵢ)). The attestation holds the last link, so a list of piece hashes
 * is verified by recomputing the chain, and then each piece as it arrives.
 */
import { createHash, type Hash } from 'node:crypto';

/** Size of a piece in bytes (§6.3); the last one of an object may be shorter. */
export const PIECE_BYTES = 256 * 1024;
export const HASH_BYTES = 32;

export function pieceCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / PIECE_BYTES);
}

/** The link after `chain` for a piece with this hash. */
export function nextLink(chain: Buffer, hash: Buffer): Buffer {
  return createHash('sha256').update(chain).update(hash).digest();
}

/** The chain's last link over a list of piece hashes, hexadecimal. */
export function chainHead(hashes: Buffer): string {
  let head: Buffer = Buffer.alloc(HASH_BYTES);
  for (let at = 0; at + HASH_BYTES <= hashes.length; at += HASH_BYTES) {
    const hash = hashes.subarray(at, at + HASH_BYTES);
    head = nextLink(head, hash);
  }
  return head.toString('hex');
}

/** Hashes a stream of bytes as a whole and piece by piece, as it passes. */
export class PieceHasher {
  private readonly whole: Hash = createHash('sha256');
  private piece: Hash = createHash('sha256');
  private pieceFill = 0;
  private readonly hashes: Buffer[] = [];
  sizeBytes = 0;
  /** The chain up to the last whole piece. */
  chain: Buffer = Buffer.alloc(HASH_BYTES);
  /** Called when a piece is whole. */
  onPiece: ((piece: number, chain: Buffer) => void) | undefined;

  /** @param hash if the chunk is the next piece, and its hash was computed to verify it */
  update(chunk: Buffer, hash?: Buffer): void {
    this.whole.update(chunk);
    this.sizeBytes += chunk.length;
    if (hash !== undefined && this.pieceFill === 0) return this.addPiece(hash);
    let at = 0;
    while (at < chunk.length) {
      const part = chunk.subarray(at, at + PIECE_BYTES - this.pieceFill);
      this.piece.update(part);
      this.pieceFill += part.length;
      at += part.length;
      if (this.pieceFill === PIECE_BYTES) this.endPiece();
    }
  }

  /** Hashes of the whole pieces so far. */
  get known(): Buffer {
    return Buffer.concat(this.hashes);
  }

  /** Ends the stream: the whole's SHA-256 in hexadecimal and the list of piece hashes. */
  digest(): { readonly sha256: string; readonly hashes: Buffer } {
    if (this.pieceFill > 0) this.endPiece();
    return { sha256: this.whole.digest('hex'), hashes: Buffer.concat(this.hashes) };
  }

  private endPiece(): void {
    this.addPiece(this.piece.digest());
    this.piece = createHash('sha256');
    this.pieceFill = 0;
  }

  private addPiece(hash: Buffer): void {
    this.chain = nextLink(this.chain, hash);
    this.hashes.push(hash);
    this.onPiece?.(this.hashes.length - 1, this.chain);
  }
}

/** Cuts a stream into pieces; the last one may be shorter. Empty streams have none. */
export async function* cutPieces(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let fill = 0;
  for await (const chunk of stream) {
    let at = 0;
    while (at < chunk.length) {
      const part = chunk.subarray(at, at + PIECE_BYTES - fill);
      parts.push(part);
      fill += part.length;
      at += part.length;
      if (fill < PIECE_BYTES) continue;
      yield Buffer.concat(parts, fill);
      parts = [];
      fill = 0;
    }
  }
  if (fill > 0) yield Buffer.concat(parts, fill);
}

/** Whether `bytes` are piece number `piece` of the object with these piece hashes. */
export function isPiece(bytes: Buffer, hashes: Buffer, piece: number): boolean {
  const expected = hashes.subarray(piece * HASH_BYTES, (piece + 1) * HASH_BYTES);
  return createHash('sha256').update(bytes).digest().equals(expected);
}
