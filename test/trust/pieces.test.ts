/** Pieces and the chain over them (§6.3): however a stream is cut, the same pieces come out. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { SeededRandom } from '@peerage/core/base/random.js';
import {
  chainHead,
  cutPieces,
  HASH_BYTES,
  isPiece,
  PIECE_BYTES,
  PieceHasher,
  pieceCount,
} from '@peerage/core/trust/pieces.js';

const sha256 = (...parts: Buffer[]) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

const SIZES = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 5];

function bytesOf(size: number): Buffer {
  const random = new SeededRandom(size);
  const bytes = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE(random.uint32(), at);
  return bytes;
}

/** The pieces by the simplest means: slices. */
function slices(bytes: Buffer): Buffer[] {
  return Array.from({ length: pieceCount(bytes.length) }, (_, i) => {
    return bytes.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES);
  });
}

/** The bytes in chunks of any size from 0 to `most`. */
function* chunks(bytes: Buffer, random: SeededRandom, most: number): Generator<Buffer> {
  let at = 0;
  while (at < bytes.length) {
    const end = at + (random.uint32() % (most + 1));
    yield bytes.subarray(at, end);
    at = end;
  }
}

async function* stream(parts: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* parts;
}

async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

describe('pieces', () => {
  it('are 256 KiB each, the last one shorter, none of nothing', () => {
    equal(PIECE_BYTES, 262_144);
    deepEqual(SIZES.map(pieceCount), [0, 1, 1, 1, 2, 4]);
  });

  for (const size of SIZES) {
    it(`of ${size} bytes are the same however the stream was cut`, async () => {
      const bytes = bytesOf(size);
      const expected = slices(bytes);
      const random = new SeededRandom(1);
      for (const most of [1000, 70_000, PIECE_BYTES, 3 * PIECE_BYTES, size]) {
        if (most === 0) continue;
        const hasher = new PieceHasher();
        for (const chunk of chunks(bytes, random, most)) hasher.update(chunk);
        equal(hasher.sizeBytes, size);
        const { sha256: whole, hashes } = hasher.digest();
        equal(whole, sha256(bytes).toString('hex'));
        ok(hashes.equals(Buffer.concat(expected.map((piece) => sha256(piece)))));
        const pieces = await collect(cutPieces(stream(chunks(bytes, random, most))));
        equal(pieces.length, expected.length);
        ok(pieces.every((piece, i) => piece.equals(expected[i] ?? Buffer.alloc(0))));
      }
    });
  }

  it('are recognised at their own place only', () => {
    const pieces = slices(bytesOf(3 * PIECE_BYTES + 5));
    const hashes = Buffer.concat(pieces.map((piece) => sha256(piece)));
    for (const [i, piece] of pieces.entries()) {
      for (let place = -1; place <= pieces.length; place += 1) {
        equal(isPiece(piece, hashes, place), place === i, `piece ${i} at ${place}`);
      }
      const changed = Buffer.from(piece);
      changed[piece.length - 1] = (changed[piece.length - 1] ?? 0) ^ 1;
      equal(isPiece(changed, hashes, i), false);
      equal(isPiece(piece.subarray(0, -1), hashes, i), false);
    }
    equal(isPiece(Buffer.alloc(0), hashes, pieces.length), false);
    equal(isPiece(Buffer.alloc(0), Buffer.alloc(0), 0), false);
  });

  it('a stream that breaks off passes its failure on and no half piece', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(PIECE_BYTES + 10);
      throw new Error('broke off');
    }
    const seen: number[] = [];
    let failure = '';
    try {
      for await (const piece of cutPieces(broken())) seen.push(piece.length);
    } catch (error) {
      failure = String(error);
    }
    deepEqual(seen, [PIECE_BYTES]);
    equal(failure, 'Error: broke off');
  });
});

describe('the chain over the pieces', () => {
  it('is c₀ = 32 zero bytes, cᵢ = SHA-256(cᵢ₋₁ ‖ hash of piece i)', () => {
    const hashes = [sha256(Buffer.from('a')), sha256(Buffer.from('b'))];
    equal(chainHead(Buffer.alloc(0)), '00'.repeat(32));
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = hashes;
    const one = sha256(Buffer.alloc(32), first);
    equal(chainHead(first), one.toString('hex'));
    equal(chainHead(Buffer.concat(hashes)), sha256(one, second).toString('hex'));
  });

  it('is another for any change, order or length of the list', () => {
    const hashes = Array.from({ length: 5 }, (_, i) => sha256(Buffer.from([i])));
    const list = Buffer.concat(hashes);
    const heads = new Set([chainHead(list)]);
    heads.add(chainHead(Buffer.concat([...hashes].reverse())));
    for (let cut = 0; cut < list.length; cut += HASH_BYTES) {
      heads.add(chainHead(list.subarray(0, cut)));
      heads.add(chainHead(list.subarray(cut + HASH_BYTES)));
      const changed = Buffer.from(list);
      changed[cut] = (changed[cut] ?? 0) ^ 1;
      heads.add(chainHead(changed));
    }
    // The two empty lists are one.
    equal(heads.size, 2 + 5 + 5 + 5 - 1);
  });
});
