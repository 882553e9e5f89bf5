/**
 * Certificates: node-forge puts their structure together, node:crypto signs them. Forge knows no
 * elliptic-curve keys, so the to-be-signed part is built with a placeholder key that is replaced
 * before signing. Forge only ever sees our own input, never a peer's bytes. PROTOCOL §1.1, §2.3.
 */
import { createHash, createPublicKey, type KeyObject, sign, X509Certificate } from 'node:crypto';
import forge from 'node-forge';

const { asn1, pki } = forge;

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const SUBJECT_KEY_ID = '2.5.29.14';
const AUTHORITY_KEY_ID = '2.5.29.35';

/** What a certificate is to say. */
export interface CertificateRequest {
  /** Common name: a node's name, or the group's name for a CA. */
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly isCa: boolean;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly serial: Buffer;
}

export interface Issuer {
  /** Common name of the issuing CA. */
  readonly name: string;
  readonly key: KeyObject;
}

/** SubjectPublicKeyInfo of a key, DER. */
export function spki(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ type: 'spki', format: 'der' });
}

/** The short identity of a key (§1.1): 16 bytes of SHA-256 over its SPKI, base64url. */
export function keyId(key: KeyObject): string {
  return createHash('sha256').update(spki(key)).digest().subarray(0, 16).toString('base64url');
}

/** Builds and signs a certificate; both keys must be P-256. */
export function buildCertificate(request: CertificateRequest, issuer: Issuer): X509Certificate {
  const certificate = pki.createCertificate();
  certificate.publicKey = pki.setRsaPublicKey(
    new forge.jsbn.BigInteger('65537'),
    new forge.jsbn.BigInteger('65537'),
  );
  certificate.siginfo.algorithmOid = ECDSA_WITH_SHA256;
  certificate.serialNumber = request.serial.toString('hex');
  certificate.validity.notBefore = request.notBefore;
  certificate.validity.notAfter = request.notAfter;
  certificate.setSubject([{ name: 'commonName', value: request.name }]);
  certificate.setIssuer([{ name: 'commonName', value: issuer.name }]);
  certificate.setExtensions(extensions(request, issuer));
  const algorithm = () => sequence([oid(ECDSA_WITH_SHA256)]);
  const tbs = pki.getTBSCertificate(certificate);
  const fields = tbs.value as forge.asn1.Asn1[];
  fields[2] = algorithm();
  fields[6] = asn1.fromDer(forge.util.createBuffer(spki(request.publicKey).toString('binary')));
  const tbsBytes = Buffer.from(asn1.toDer(tbs).getBytes(), 'binary');
  const signature = sign('sha256', tbsBytes, issuer.key).toString('binary');
  const bits = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.BITSTRING, false, `\0${signature}`);
  const whole = sequence([tbs, algorithm(), bits]);
  return new X509Certificate(Buffer.from(asn1.toDer(whole).getBytes(), 'binary'));
}

function extensions(request: CertificateRequest, issuer: Issuer): object[] {
  const subjectKeyId = sha1(spki(request.publicKey));
  const issuerKeyId = sha1(spki(issuer.key));
  const octets = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OCTETSTRING, false, subjectKeyId);
  const tagged = asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0 as forge.asn1.Type, false, issuerKeyId);
  const usage = request.isCa
    ? { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true }
    : { name: 'keyUsage', critical: true, digitalSignature: true };
  return [
    { name: 'basicConstraints', critical: true, cA: request.isCa },
    usage,
    ...(request.isCa ? [] : [{ name: 'extKeyUsage', serverAuth: true, clientAuth: true }]),
    { id: SUBJECT_KEY_ID, value: asn1.toDer(octets).getBytes() },
    { id: AUTHORITY_KEY_ID, value: asn1.toDer(sequence([tagged])).getBytes() },
  ];
}

function sequence(parts: forge.asn1.Asn1[]): forge.asn1.Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, parts);
}

function oid(dotted: string): forge.asn1.Asn1 {
  const bytes = asn1.oidToDer(dotted).getBytes();
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, bytes);
}

function sha1(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('binary');
}
