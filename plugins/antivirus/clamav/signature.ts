/**
 * The signatures of ClamAV's files. Pure.
 *
 * A signature is a number, written in digits of 6 bits, the lowest first. For a header it is plain
 * RSA of the 16 bytes of an MD5; elsewhere RSA-PSS with SHA-256 and 32 bytes of salt.
 */
import { createHash } from 'node:crypto';
import type { RsaKey } from './keys.js';

const DIGITS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/';
/** Digits of a signature: 2048 bits are 342 of them. */
const MAX_DIGITS = 400;
const SALT_BYTES = 32;
const HASH_BYTES = 32;
/** The encoded message: 2048 bits. */
const BLOCK_BYTES = 256;

/** The number that a signature is; `undefined` if it has other characters or is too long. */
export function signatureNumber(text: string): bigint | undefined {
  if (text.length === 0 || text.length > MAX_DIGITS) return undefined;
  let number = 0n;
  for (const digit of [...text].reverse()) {
    const value = DIGITS.indexOf(digit);
    if (value < 0) return undefined;
    number = number * 64n + BigInt(value);
  }
  return number;
}

/** A number in the digits of a signature. */
export function signatureText(number: bigint): string {
  let text = '';
  for (let rest = number; rest > 0n; rest /= 64n) text += DIGITS[Number(rest % 64n)];
  return text;
}

/** Whether `signature` is the key's plain RSA signature of an MD5, given in hexadecimal. */
export function isDigestSigned(md5: string, signature: string, key: RsaKey): boolean {
  const number = signatureNumber(signature);
  if (number === undefined || !/^[0-9a-f]{32}$/.test(md5)) return false;
  return power(number, BigInt(key.exponent), BigInt(key.modulus)) === BigInt(`0x${md5}`);
}

/** Whether `signature` is the key's RSA-PSS signature of `bytes`. */
export function isSigned(bytes: Uint8Array, signature: string, key: RsaKey): boolean {
  const number = signatureNumber(signature);
  if (number === undefined || number >= BigInt(key.modulus)) return false;
  const opened = power(number, BigInt(key.exponent), BigInt(key.modulus));
  const encoded = Buffer.from(opened.toString(16).padStart(2 * BLOCK_BYTES, '0'), 'hex');
  const digest = createHash('sha256').update(bytes).digest();
  return encoded.length === BLOCK_BYTES && isEncodingOf(digest, encoded);
}

/**
 * EMSA-PSS (RFC 8017 §9.1.2) in a block of 2048 bits. The publisher's moduli have 2047 bits and its
 * blocks 2048 all the same, which a verifier by the book, as that of OpenSSL, refuses half of the
 * time.
 */
function isEncodingOf(digest: Buffer, encoded: Buffer): boolean {
  const hashStart = BLOCK_BYTES - HASH_BYTES - 1;
  if (encoded[BLOCK_BYTES - 1] !== 0xbc) return false;
  const hash = encoded.subarray(hashStart, BLOCK_BYTES - 1);
  const mask = maskOf(hash, hashStart);
  const block = Buffer.from(
    encoded.subarray(0, hashStart).map((byte, at) => byte ^ (mask[at] ?? 0)),
  );
  block[0] = (block[0] ?? 0) & 0x7f;
  const saltStart = hashStart - SALT_BYTES;
  if (block[saltStart - 1] !== 1) return false;
  if (block.subarray(0, saltStart - 1).some((byte) => byte !== 0)) return false;
  const salted = createHash('sha256').update(Buffer.alloc(8)).update(digest);
  return salted.update(block.subarray(saltStart)).digest().equals(hash);
}

/** MGF1 with SHA-256 (RFC 8017 §B.2.1). */
function maskOf(seed: Buffer, bytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let counter = 0; counter * HASH_BYTES < bytes; counter += 1) {
    const suffix = Buffer.alloc(4);
    suffix.writeUInt32BE(counter);
    parts.push(createHash('sha256').update(seed).update(suffix).digest());
  }
  return Buffer.concat(parts).subarray(0, bytes);
}

/** `base` to the power of `exponent`, modulo `modulus`. */
export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}
