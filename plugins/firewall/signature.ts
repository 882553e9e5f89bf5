/**
 * Signed lists: a minisign signature beside the list (`URL.minisig`), under a key of the settings.
 *
 * minisign signs the BLAKE2b-512 of the file with Ed25519, and with a second signature the first
 * one and a comment. The comment's timestamp is thus the publisher's word: an older list than the
 * one in force, though signed, is refused by the policy. Every node verifies for itself.
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { CodedError } from '@peerage/sdk';

const KEY_BYTES = 42;
const SIGNATURE_BYTES = 74;
/** Two letters of algorithm and eight bytes that name the key stand before key and signature. */
const ID = { from: 2, to: 10 };

/** What a signature vouches for. */
export interface Signed {
  /** When the publisher signed, in seconds since 1970; absent if the comment does not say. */
  readonly madeAtSeconds?: number;
}

/** @throws CodedError `E_LIST_SIGNATURE` */
export function verifySigned(
  source: string,
  list: Uint8Array,
  signature: Uint8Array,
  publicKey: string,
): Signed {
  const key = keyOf(source, publicKey);
  const lines = Buffer.from(signature).toString('utf8').split('\n');
  const [, first = '', comment = '', second = ''] = lines.map((line) => line.replace(/\r$/, ''));
  const said = Buffer.from(first, 'base64');
  if (said.length !== SIGNATURE_BYTES || !comment.startsWith('trusted comment: ')) {
    throw refused(source, 'what is beside it is no signature of minisign');
  }
  if (said.subarray(0, ID.from).toString('latin1') !== 'ED') {
    throw refused(source, 'its signature is of an old kind (sign without -l)');
  }
  if (!said.subarray(ID.from, ID.to).equals(key.id)) {
    throw refused(source, 'it is signed with another key');
  }
  const bytes = said.subarray(ID.to);
  const digest = createHash('blake2b512').update(list).digest();
  const trusted = comment.slice('trusted comment: '.length);
  const covered = Buffer.concat([bytes, Buffer.from(trusted)]);
  const isGenuine =
    verify(null, digest, key.key, bytes) &&
    verify(null, covered, key.key, Buffer.from(second, 'base64'));
  if (!isGenuine) throw refused(source, 'its signature does not hold');
  const timestamp = /\btimestamp:(\d{1,12})\b/.exec(trusted)?.[1];
  return timestamp === undefined ? {} : { madeAtSeconds: Number(timestamp) };
}

/** Lines of a signature; it ends with the fourth. */
const LINES = 4;

/** A list with its signature before it: one version is one file. */
export function sealed(signature: Uint8Array, list: Uint8Array): Uint8Array {
  const lines = Buffer.from(signature).toString('utf8').split('\n').slice(0, LINES);
  while (lines.length < LINES) lines.push('');
  return Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), list]);
}

export function unsealed(bytes: Uint8Array): {
  readonly signature: Uint8Array;
  readonly list: Uint8Array;
} {
  let at = 0;
  for (let line = 0; line < LINES; line += 1) at = bytes.indexOf(0x0a, at) + 1;
  return { signature: bytes.subarray(0, at), list: bytes.subarray(at) };
}

function keyOf(source: string, text: string): { readonly id: Buffer; readonly key: KeyObject } {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== KEY_BYTES || bytes.subarray(0, ID.from).toString('latin1') !== 'Ed') {
    throw refused(source, '"minisignKey" in its settings is no public key of minisign');
  }
  const x = bytes.subarray(ID.to).toString('base64url');
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
  return { id: bytes.subarray(ID.from, ID.to), key };
}

function refused(source: string, why: string): CodedError {
  return new CodedError('E_LIST_SIGNATURE', `${source}: ${why}`, {
    expected: 'a list with its .minisig beside it, signed with the key of the settings',
    action: 'what was in force stays in force; ask who publishes it',
  });
}
