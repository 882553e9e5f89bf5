/**
 * What both sides of joining sign and compare (PROTOCOL §1.7): the token's text, the transcript that
 * ties everything to one TLS connection, the joiner's proof of possession and the CA's own proof.
 *
 * Invariants: everything is bound to the connection (its TLS exporter), to the CA (its SPKI) and to
 * the CA's challenge, so nothing said on one connection means anything on another; the purposes
 * have tags of their own, so no proof passes for another.
 */
import {
  createHash,
  createHmac,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
  timingSafeEqual,
  verify,
  type X509Certificate,
} from 'node:crypto';
import { CodedError } from '@peerage/sdk';
import { keyId, spki } from './certificate.js';

const TOKEN = /^PG1\.([A-Za-z0-9_-]{21}[AQgw])\.([A-Za-z0-9_-]{21}[AQgw])$/;
const SECRET_BYTES = 16;
const EXPORTER_BYTES = 32;
const EXPORTER_LABEL = 'EXPERIMENTAL-peerage-enrolment';
/** A P-256 SPKI is 91 bytes; a little more is read to say what is wrong with another key. */
const SPKI_BYTES_MAX = 1024;

/** A token as the admin hands it over. */
export interface Token {
  /** The first 128 bits of SHA-256 over the CA's SPKI, base64url; the kid of the CA's key. */
  readonly caHash: string;
  readonly secret: Buffer;
}

export function newSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** The hash by which a CA identifies itself in tokens. */
export function caHash(ca: X509Certificate): string {
  return keyId(ca.publicKey);
}

export function tokenText(ca: X509Certificate, secret: Buffer): string {
  return `PG1.${caHash(ca)}.${secret.toString('base64url')}`;
}

/** @throws CodedError `E_TOKEN_INVALID` */
export function parseToken(text: string): Token {
  const match = TOKEN.exec(text.trim());
  if (match?.[1] !== undefined && match[2] !== undefined) {
    return { caHash: match[1], secret: Buffer.from(match[2], 'base64url') };
  }
  throw new CodedError('E_TOKEN_INVALID', 'this is not a token', {
    expected: 'PG1.<22 characters>.<22 characters>, as `peerage ca token` prints it',
    action: 'copy the whole line',
  });
}

/** What the CA keeps of a secret. */
export function secretHash(secret: Buffer): string {
  return createHash('sha256').update('peerage/token/v1\0').update(secret).digest('hex');
}

/** The part of a TLS socket that is needed here; `tls.TLSSocket` has it. */
export interface ExportingSocket {
  exportKeyingMaterial(length: number, label: string, context: Buffer): Buffer;
}

/** The value that only the two ends of this very connection know. */
export function channelOf(socket: ExportingSocket): Buffer {
  return socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0));
}

/** What all proofs of one attempt are about: this connection, this CA, this challenge. */
export function transcript(channel: Buffer, ca: X509Certificate, challenge: string): Buffer {
  const hash = createHash('sha256').update('peerage/enrolment/v1\0');
  return hash.update(channel).update(spki(ca.publicKey)).update(challenge).digest();
}

export type Purpose = 'authority' | 'join' | 'renew';

function tagged(purpose: Purpose, about: Buffer, key: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`peerage/${purpose}/v1\0`), about, key]);
}

/** Proves to have `key`; `publicKey` (SPKI) is what is to be certified, empty for the CA's proof. */
export function prove(purpose: Purpose, about: Buffer, publicKey: Buffer, key: KeyObject): string {
  const options = { key, dsaEncoding: 'ieee-p1363' } as const;
  return sign('sha256', tagged(purpose, about, publicKey), options).toString('base64url');
}

export function isProof(
  purpose: Purpose,
  about: Buffer,
  publicKey: Buffer,
  key: KeyObject,
  proof: string,
): boolean {
  const options = { key, dsaEncoding: 'ieee-p1363' } as const;
  const signature = Buffer.from(proof, 'base64url');
  return verify('sha256', tagged(purpose, about, publicKey), options, signature);
}

/** The token's secret, tied to the key that is to be certified and to the connection. */
export function tokenMac(secret: Buffer, about: Buffer, publicKey: Buffer): string {
  return createHmac('sha256', secret).update(publicKey).update(about).digest('base64url');
}

export function isTokenMac(secret: Buffer, about: Buffer, publicKey: Buffer, mac: string): boolean {
  const expected = Buffer.from(tokenMac(secret, about, publicKey));
  const given = Buffer.from(mac);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** The P-256 key of an SPKI in its one DER spelling; `undefined` for anything else. Never throws. */
export function readP256(der: Buffer): KeyObject | undefined {
  if (der.length > SPKI_BYTES_MAX) return undefined;
  try {
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    const fits = key.asymmetricKeyDetails?.namedCurve === 'prime256v1' && spki(key).equals(der);
    return key.asymmetricKeyType === 'ec' && fits ? key : undefined;
  } catch {
    return undefined;
  }
}
