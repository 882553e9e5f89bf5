/**
 * Certificates as a test wants them, right or wrong: a few lines of DER, signed by node:crypto.
 * Nothing of it is shared with the product's own builder, so the two also check each other.
 */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';

/** One DER value: tag, length, content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 128
      ? [length]
      : length < 256
        ? [0x81, length]
        : [0x82, (length >> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
const text = (tag: number, value: string) => der(tag, Buffer.from(value));
const octets = (...parts: Buffer[]) => der(0x04, ...parts);
const bits = (content: Buffer) => der(0x03, Buffer.from([0]), content);
const yes = der(0x01, Buffer.from([0xff]));

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = rest.flatMap((part) => {
    const digits = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return der(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

export const OIDS = {
  commonName: '2.5.4.3',
  organisation: '2.5.4.10',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  anyUsage: '2.5.29.37.0',
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha1: '1.2.840.10045.4.1',
} as const;

/** One attribute of a distinguished name: its OID, its text, and the tag of its string type. */
export type NamePart = readonly [oid: string, value: string, tag?: number];

export interface CertificatePlan {
  readonly subject: readonly NamePart[];
  readonly issuer: readonly NamePart[];
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  /** DER text of the times: UTCTime `yymmddhhmmssZ`. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** basicConstraints; left out if `undefined`. */
  readonly ca?: boolean;
  /** Extended key usages; left out if `undefined`. */
  readonly usages?: readonly string[];
  readonly hash?: 'sha256' | 'sha384' | 'sha1';
  /** What the signed part says of the hash, if that is not the truth. */
  readonly claimedHash?: 'sha256' | 'sha1';
  /** Bytes of an extension that nobody knows. */
  readonly filler?: Buffer;
}

function distinguishedName(parts: readonly NamePart[]): Buffer {
  const sets = parts.map(([id, value, tag = 0x0c]) => {
    return der(0x31, sequence(oid(id), text(tag, value)));
  });
  return sequence(...sets);
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [yes] : []), octets(value));
}

function extensions({ ca, usages, filler }: CertificatePlan): Buffer[] {
  const list: Buffer[] = [];
  if (ca !== undefined) list.push(extension('2.5.29.19', true, sequence(...(ca ? [yes] : []))));
  if (usages !== undefined) {
    list.push(extension('2.5.29.37', false, sequence(...usages.map((usage) => oid(usage)))));
  }
  if (filler !== undefined) list.push(extension('1.2.3.4', false, octets(filler)));
  return list.length === 0 ? [] : [der(0xa3, sequence(...list))];
}

/** UTCTime as certificates write it. */
export function utcTime(atMs: number): string {
  return `${new Date(atMs).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`;
}

/** Builds and signs what the plan says, however wrong it is. */
export function makeCertificate(plan: CertificatePlan): Buffer {
  const { subject, issuer, publicKey, signer, notBefore, notAfter, hash = 'sha256' } = plan;
  const claimed = sequence(oid(OIDS[plan.claimedHash ?? hash]));
  const algorithm = sequence(oid(OIDS[hash]));
  const spki = (publicKey.type === 'private' ? createPublicKey(publicKey) : publicKey).export({
    type: 'spki',
    format: 'der',
  });
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([0x41, 0x07])),
    claimed,
    distinguishedName(issuer),
    sequence(text(0x17, notBefore), text(0x17, notAfter)),
    distinguishedName(subject),
    spki,
    ...extensions(plan),
  );
  return sequence(toBeSigned, algorithm, bits(sign(hash, toBeSigned, signer)));
}
