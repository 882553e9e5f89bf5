/**
 * Which certificates we take for a member's: our own rules over node:crypto, checked in full each
 * time (X509Certificate.verify alone ignores dates, usage and the chain's shape). PROTOCOL §1.1.
 *
 * Invariants: the issuer is a trust anchor (the pinned CA; two while it changes, §1.9) and nothing
 * in between; P-256 and SHA-256 only; a node's certificate can never act as a CA; never throws on
 * hostile bytes.
 */
import { X509Certificate } from 'node:crypto';
import { keyId } from './certificate.js';

/** A certificate in DER must not be larger than this; ours are below 500 bytes. */
const CERTIFICATE_BYTES_MAX = 4096;
/** A certificate may begin this much in the future: clocks differ. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
/** AlgorithmIdentifier of ecdsa-with-SHA256: a sequence of its OID alone. */
const ECDSA_WITH_SHA256_DER = Buffer.from('300a06082a8648ce3d040302', 'hex');

/** Names of nodes and groups: what fits a token on the wire and a file name. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/;

export type CertificateFault =
  | 'malformed'
  | 'too-large'
  | 'wrong-issuer'
  | 'issuer-expired'
  | 'bad-signature'
  | 'not-yet-valid'
  | 'expired'
  | 'is-a-ca'
  | 'wrong-usage'
  | 'wrong-key-type'
  | 'weak-algorithm'
  | 'bad-name';

export interface NodeCertificate {
  readonly certificate: X509Certificate;
  readonly kid: string;
  readonly name: string;
  readonly notAfterMs: number;
}

export type CertificateVerdict =
  | { readonly ok: true; readonly node: NodeCertificate }
  | { readonly ok: false; readonly fault: CertificateFault };

/** The common name of a certificate, if that is all its subject says and it is a proper name. */
export function commonName(certificate: X509Certificate): string | undefined {
  const match = /^CN=(.*)$/s.exec(certificate.subject ?? '');
  const name = match?.[1] ?? '';
  return NAME_PATTERN.test(name) ? name : undefined;
}

/** Judges the certificate of a node against the trust anchors at a wall-clock time. */
export function checkNodeCertificate(
  der: Buffer,
  anchors: readonly X509Certificate[],
  wallMs: number,
): CertificateVerdict {
  if (der.length > CERTIFICATE_BYTES_MAX) return { ok: false, fault: 'too-large' };
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
    const fault = findFault(certificate, der, anchors, wallMs);
    if (fault !== undefined) return { ok: false, fault };
  } catch {
    return { ok: false, fault: 'malformed' };
  }
  const name = commonName(certificate);
  if (name === undefined) return { ok: false, fault: 'bad-name' };
  const kid = keyId(certificate.publicKey);
  const notAfterMs = Date.parse(certificate.validTo);
  return { ok: true, node: { certificate, kid, name, notAfterMs } };
}

/** So long after its end a certificate may still be renewed, if it is not revoked. */
const RENEWAL_GRACE_MS = 7 * 24 * 60 * 60_000;

/** As {@link checkNodeCertificate}, but one that expired within the grace is judged at its end. */
export function checkRenewable(
  der: Buffer,
  anchors: readonly X509Certificate[],
  wallMs: number,
): CertificateVerdict {
  const verdict = checkNodeCertificate(der, anchors, wallMs);
  if (verdict.ok || verdict.fault !== 'expired') return verdict;
  const endMs = Date.parse(new X509Certificate(der).validTo);
  return wallMs - endMs <= RENEWAL_GRACE_MS ? checkNodeCertificate(der, anchors, endMs) : verdict;
}

function findFault(
  certificate: X509Certificate,
  der: Buffer,
  anchors: readonly X509Certificate[],
  wallMs: number,
): CertificateFault | undefined {
  if (!certificate.raw.equals(der)) return 'malformed';
  const ca = issuerOf(certificate, anchors);
  if (ca === undefined) return 'wrong-issuer';
  if (!(wallMs <= Date.parse(ca.validTo))) return 'issuer-expired';
  if (!isSignedWithSha256(der)) return 'weak-algorithm';
  const { publicKey } = certificate;
  if (publicKey.asymmetricKeyType !== 'ec') return 'wrong-key-type';
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return 'wrong-key-type';
  if (!certificate.verify(ca.publicKey)) return 'bad-signature';
  // Written so that a time that is none (NaN) is a fault, too.
  const fromMs = Date.parse(certificate.validFrom);
  if (!(wallMs + CLOCK_TOLERANCE_MS >= fromMs)) return 'not-yet-valid';
  if (!(wallMs <= Date.parse(certificate.validTo))) return 'expired';
  if (certificate.ca) return 'is-a-ca';
  const usage = certificate.keyUsage ?? [];
  if (!usage.includes(SERVER_AUTH) || !usage.includes(CLIENT_AUTH)) return 'wrong-usage';
  return undefined;
}

/** The anchor that issued a certificate, by its names and key identifiers; the signature is not looked at. */
export function issuerOf(
  certificate: X509Certificate,
  anchors: readonly X509Certificate[],
): X509Certificate | undefined {
  return anchors.find((anchor) => certificate.checkIssued(anchor));
}

/**
 * Whether the signature's algorithm, the second part of the outer sequence, is ours. That the
 * signed part names the same one is checked by `verify`.
 */
function isSignedWithSha256(der: Buffer): boolean {
  const outer = contentOf(der, 0);
  const at = contentOf(der, outer.start).end;
  return der.subarray(at, at + ECDSA_WITH_SHA256_DER.length).equals(ECDSA_WITH_SHA256_DER);
}

/** Where the content of the DER value at `at` begins and ends; its length has at most 2 bytes. */
function contentOf(der: Buffer, at: number): { readonly start: number; readonly end: number } {
  const short = der.readUInt8(at + 1);
  const sizeBytes = short < 0x80 ? 0 : short & 0x7f;
  const start = at + 2 + sizeBytes;
  return { start, end: start + (sizeBytes === 0 ? short : der.readUIntBE(at + 2, sizeBytes)) };
}
