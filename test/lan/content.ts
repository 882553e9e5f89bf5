/**
 * Content made from a seed: the same bytes for the same seed, on any machine, from any offset.
 *
 * The bytes are the key stream of AES-256 in counter mode under a key hashed from the seed: not
 * compressible, as fast as a disk, and any range of it can be made without what lies before. So an
 * origin need not keep files, and a client's copy can be checked without asking anybody.
 */
import { createCipheriv, createHash } from 'node:crypto';

const BLOCK_BYTES = 16;
/** Bytes made at a time, so that memory stays small whatever the size. */
const CHUNK_BYTES = 256 * 1024;

/** The bytes from `start` to `end` (exclusive) of the content that `seed` stands for. */
export function* content(seed: string, start: number, end: number): Generator<Buffer> {
  const key = createHash('sha256').update(seed).digest();
  const counter = Buffer.alloc(BLOCK_BYTES);
  counter.writeBigUInt64BE(BigInt(Math.floor(start / BLOCK_BYTES)), 8);
  const cipher = createCipheriv('aes-256-ctr', key, counter);
  cipher.update(Buffer.alloc(start % BLOCK_BYTES));
  const zeros = Buffer.alloc(Math.min(CHUNK_BYTES, Math.max(0, end - start)));
  for (let at = start; at < end; at += CHUNK_BYTES) {
    yield cipher.update(zeros.subarray(0, Math.min(CHUNK_BYTES, end - at)));
  }
}

/** SHA-256, in lower-case hexadecimal, of the first `sizeBytes` of a seed's content. */
export function contentSha256(seed: string, sizeBytes: number): string {
  const hash = createHash('sha256');
  for (const chunk of content(seed, 0, sizeBytes)) hash.update(chunk);
  return hash.digest('hex');
}
