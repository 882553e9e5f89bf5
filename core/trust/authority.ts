/**
 * The organisation's CA and what it issues (PROTOCOL §1.1). Offline-capable: everything here works
 * on files alone. A group is the CA's common name; an identity is one PEM bundle of a node's key,
 * its certificate and the CA's certificate.
 */
import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { CodedError } from '@peerage/sdk';
import { buildCertificate, keyId, spki } from './certificate.js';
import { checkNodeCertificate, commonName, NAME_PATTERN } from './policy.js';

const DAY_MS = 24 * 60 * 60_000;
const CA_DAYS = 3650;
/** Certificates begin a little in the past: clocks differ. */
const BACKDATE_MS = 60 * 60_000;
const SERIAL_BYTES = 16;

export interface Authority {
  readonly group: string;
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
}

/** A node's proof of who it is. */
export interface Identity {
  readonly name: string;
  readonly kid: string;
  readonly group: string;
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
  /** The CA that issued the certificate: what this node is pinned to. */
  readonly ca: X509Certificate;
  /** The CAs whose certificates are believed: `ca`, and another one while it changes (§1.9). */
  readonly anchors: readonly X509Certificate[];
}

/** A new P-256 key pair. */
export function newKeys(): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

/** A positive random serial number. */
function newSerial(): Buffer {
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

/** @throws CodedError `E_NAME_INVALID` */
export function checkName(name: string, what: string): void {
  if (NAME_PATTERN.test(name)) return;
  throw new CodedError(
    'E_NAME_INVALID',
    `${JSON.stringify(name)} cannot be the name of a ${what}`,
    {
      expected: '1 to 63 letters, digits, dots or dashes, beginning with a letter or digit',
    },
  );
}

/** Makes a new CA for a group. @throws CodedError `E_NAME_INVALID` */
export function createAuthority(group: string, nowMs: number): Authority {
  checkName(group, 'group');
  const { privateKey, publicKey } = newKeys();
  const request = {
    name: group,
    publicKey,
    isCa: true,
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + CA_DAYS * DAY_MS),
    serial: newSerial(),
  };
  const certificate = buildCertificate(request, { name: group, key: privateKey });
  return { group, key: privateKey, certificate };
}

/** Issues a new key and certificate. @throws CodedError `E_NAME_INVALID` */
export function issueIdentity(
  authority: Authority,
  name: string,
  days: number,
  nowMs: number,
): Identity {
  const { privateKey, publicKey } = newKeys();
  const certificate = certify(authority, name, publicKey, days, nowMs);
  return identityOf(privateKey, certificate, name, authority.certificate);
}

/** Certifies a node's own public key, which must be P-256. @throws CodedError `E_NAME_INVALID` */
export function certify(
  authority: Authority,
  name: string,
  publicKey: KeyObject,
  days: number,
  nowMs: number,
): X509Certificate {
  checkName(name, 'node');
  // Nothing is good for longer than the CA that vouches for it.
  const endMs = Math.min(nowMs + days * DAY_MS, Date.parse(authority.certificate.validTo));
  const request = {
    name,
    publicKey,
    isCa: false,
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(endMs),
    serial: newSerial(),
  };
  return buildCertificate(request, { name: authority.group, key: authority.key });
}

/** Puts an identity together of parts that were judged before. */
export function identityOf(
  key: KeyObject,
  certificate: X509Certificate,
  name: string,
  ca: X509Certificate,
): Identity {
  const group = commonName(ca) ?? '';
  return { name, kid: keyId(key), group, key, certificate, ca, anchors: [ca] };
}

/** The PEM bundle of an identity: private key, certificate, CA certificate. Keep it secret. */
export function identityToPem(identity: Identity): string {
  const key = identity.key.export({ type: 'pkcs8', format: 'pem' });
  return `${key}${identity.certificate}${identity.ca}`;
}

/** The CA's bundle: its key (PKCS #8, encrypted if there is a passphrase) and certificate. */
export function authorityToPem(authority: Authority, passphrase?: string): string {
  const lock = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  const key = authority.key.export({ type: 'pkcs8', format: 'pem', ...lock });
  return `${key}${authority.certificate}`;
}

interface Blocks {
  readonly key: KeyObject;
  readonly certificates: readonly X509Certificate[];
}

function readBlocks(pem: string, file: string, passphrase?: string): Blocks {
  const blocks = pem.match(/-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g) ?? [];
  const keyBlock = blocks.find((block) => block.includes('PRIVATE KEY'));
  const certificateBlocks = blocks.filter((block) => block.includes('BEGIN CERTIFICATE'));
  try {
    if (keyBlock === undefined) throw new Error('no private key in it');
    const certificates = certificateBlocks.map((block) => new X509Certificate(block));
    const lock = passphrase === undefined ? {} : { passphrase };
    return { key: createPrivateKey({ key: keyBlock, ...lock }), certificates };
  } catch (cause) {
    throw identityFault(file, 'it cannot be read', cause);
  }
}

function identityFault(file: string, why: string, cause?: unknown): CodedError {
  return new CodedError('E_IDENTITY_INVALID', `the identity ${file} cannot be used: ${why}`, {
    expected: 'a PEM bundle of a P-256 private key, its certificate and the issuing CA certificate',
    action: 'issue a new one with `peerage ca issue NAME`',
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Reads and judges an identity bundle.
 * @param judge `checkRenewable` also takes one that expired a few days ago: it serves to renew it
 * @throws CodedError `E_IDENTITY_INVALID`
 */
export function identityFromPem(
  pem: string,
  file: string,
  wallMs: number,
  judge = checkNodeCertificate,
): Identity {
  const { key, certificates } = readBlocks(pem, file);
  const [certificate, ca] = certificates;
  if (certificate === undefined || ca === undefined)
    throw identityFault(file, 'a certificate is missing');
  if (!spki(key).equals(spki(certificate.publicKey))) {
    throw identityFault(file, 'the key does not belong to the certificate');
  }
  const group = commonName(ca);
  if (group === undefined || !ca.ca) throw identityFault(file, 'the second certificate is no CA');
  const verdict = judge(certificate.raw, [ca], wallMs);
  if (!verdict.ok) throw identityFault(file, `its certificate is refused (${verdict.fault})`);
  return identityOf(key, certificate, verdict.node.name, ca);
}

/**
 * Reads a CA's bundle.
 * @throws CodedError `E_IDENTITY_INVALID`, `E_CA_LOCKED` when the passphrase is missing or wrong
 */
export function authorityFromPem(pem: string, file: string, passphrase?: string): Authority {
  const { key, certificates } = readAuthorityBlocks(pem, file, passphrase);
  const [certificate] = certificates;
  const group = certificate === undefined ? undefined : commonName(certificate);
  if (certificate === undefined || group === undefined || !certificate.ca) {
    throw identityFault(file, 'it holds no CA certificate');
  }
  if (!spki(key).equals(spki(certificate.publicKey))) {
    throw identityFault(file, 'the key does not belong to the CA certificate');
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw identityFault(file, 'its key is not a P-256 key');
  }
  return { group, key, certificate };
}

/** All certificates of a PEM file, in order. @throws CodedError `E_IDENTITY_INVALID` */
export function certificatesIn(pem: string, file: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw identityFault(file, 'it cannot be read', cause);
  }
}

/** The CA's certificate alone, which needs no passphrase. @throws CodedError `E_IDENTITY_INVALID` */
export function authorityCertificate(pem: string, file: string): X509Certificate {
  const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(pem);
  try {
    return new X509Certificate(block?.[0] ?? '');
  } catch (cause) {
    throw identityFault(file, 'it holds no CA certificate', cause);
  }
}

function readAuthorityBlocks(pem: string, file: string, passphrase: string | undefined): Blocks {
  if (!pem.includes('BEGIN ENCRYPTED PRIVATE KEY')) return readBlocks(pem, file);
  const locked = (why: string, cause?: unknown) =>
    new CodedError('E_CA_LOCKED', `the CA's key ${file} ${why}`, {
      action: 'name the file that holds its passphrase with --passphrase-file',
      cause,
    });
  if (passphrase === undefined) throw locked('is encrypted');
  try {
    return readBlocks(pem, file, passphrase);
  } catch (cause) {
    throw locked('does not open with this passphrase', cause);
  }
}
