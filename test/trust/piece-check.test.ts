/** Pieces that are checked again and again: by SHA-256 once, then by a seal that no change passes. */
import { equal, ok } from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { PieceCheck } from '@peerage/core/trust/piece-check.js';
import { PIECE_BYTES } from '@peerage/core/trust/pieces.js';

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest();

describe('the check of pieces', () => {
  const pieces = [randomBytes(PIECE_BYTES), randomBytes(PIECE_BYTES), randomBytes(5)];
  const check = () => new PieceCheck(Buffer.concat(pieces.map(sha256)));

  it('finds right bytes right, however often it is asked', () => {
    const made = check();
    for (let round = 0; round < 3; round += 1) {
      for (const [piece, bytes] of pieces.entries()) ok(made.isRight(bytes, piece), `${piece}`);
    }
  });

  it('notices one flipped bit anywhere, the first time and later', () => {
    const made = check();
    for (const seen of [false, true]) {
      for (const [piece, bytes] of pieces.entries()) {
        for (const at of [0, bytes.length >> 1, bytes.length - 1]) {
          const damaged = Buffer.from(bytes);
          damaged[at] = (damaged[at] ?? 0) ^ 1;
          equal(made.isRight(damaged, piece), false, `${piece} at ${at}, seen before: ${seen}`);
        }
        if (seen) ok(made.isRight(bytes, piece));
      }
      for (const [piece, bytes] of pieces.entries()) ok(made.isRight(bytes, piece));
    }
  });

  it('takes no piece for another, shorter or longer', () => {
    const made = check();
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = pieces;
    ok(made.isRight(first, 0) && made.isRight(second, 1));
    equal(made.isRight(first, 1), false);
    equal(made.isRight(first.subarray(0, -1), 0), false);
    equal(made.isRight(Buffer.concat([first, Buffer.alloc(1)]), 0), false);
    equal(made.isRight(Buffer.alloc(0), 0), false);
  });

  it('knows no piece beyond the last one', () => {
    equal(check().isRight(Buffer.alloc(0), 3), false);
  });

  it('seals nothing that was wrong', () => {
    const made = check();
    const wrong = randomBytes(5);
    equal(made.isRight(wrong, 2), false);
    equal(made.isRight(wrong, 2), false);
  });
});
