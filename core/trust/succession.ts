/**
 * A change of the group's CA (PROTOCOL §1.9): the CA in force signs that another one follows it.
 * The document proves itself to whoever believes the CA before, so it can be passed on by anybody:
 * in the group policy, and beside a certificate that the new CA issued.
 *
 * Invariants: a successor has the same group name, a P-256 key of its own and signed itself; what
 * it says is believed only under a CA that is believed already. Never throws on hostile bytes.
 */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { sealFrame, splitFrame, verifyFrame } from '../wire/frame.js';
import { accepted, rejected, type Verdict } from '../wire/rejection.js';
import { scanAttributes } from '../wire/scan.js';
import { FORMAT_VERSION, isReadable } from '../wire/version.js';
import { parseElement } from '../wire/xml.js';
import { commonName } from './policy.js';

/** Largest document in bytes; ours are below 1000. */
export const SUCCESSION_BYTES_MAX = 4096;
/** Beside a certificate (§2.5): how the CA that issued it followed the one before, base64url. */
export const SUCCESSION_HEADER = 'peerage-succession';
const LIMITS = { countMax: 8, valueLengthMax: SUCCESSION_BYTES_MAX };
const CONTEXT = 'peerage/succession/v1';

export interface Succession {
  /** The CA that follows. */
  readonly ca: X509Certificate;
  /** The exact signed bytes. */
  readonly bytes: Buffer;
}

/** Signs, with the key of the CA before, that `ca` follows it. */
export function signSuccession(ca: X509Certificate, predecessor: KeyObject): Succession {
  const bytes = sealFrame(
    CONTEXT,
    [
      ['type', 'succession'],
      ['version', FORMAT_VERSION],
      ['group', commonName(ca) ?? ''],
      ['ca', ca.raw.toString('base64url')],
    ],
    predecessor,
  );
  return { ca, bytes };
}

/** Verifies and reads a succession that came from anywhere, under one of the CAs believed. */
export function openSuccession(
  bytes: Buffer,
  anchors: readonly X509Certificate[],
): Verdict<Succession> {
  if (bytes.length > SUCCESSION_BYTES_MAX) return rejected('length');
  const split = splitFrame(bytes);
  if (!split.ok) return split;
  const scanned = scanAttributes(split.value.attributes, LIMITS);
  if (!scanned.ok) return scanned;
  const signer = anchors.find(({ publicKey }) => verifyFrame(CONTEXT, split.value, publicKey));
  if (signer === undefined) return rejected('signature');
  const attributes = parseElement(bytes.toString('utf8'));
  if (attributes === undefined) return rejected('xml');
  const text = (name: string) => attributes.get(name) ?? '';
  if (text('type') !== 'succession' || !isReadable(text('version'))) return rejected('schema');
  const ca = readAuthorityCertificate(Buffer.from(text('ca'), 'base64url'));
  const group = commonName(signer);
  if (ca === undefined || commonName(ca) !== group || text('group') !== group)
    return rejected('schema');
  return accepted({ ca, bytes });
}

/** The certificate of a CA that can be one of a group; `undefined` for anything else. Never throws. */
export function readAuthorityCertificate(der: Buffer): X509Certificate | undefined {
  try {
    const ca = new X509Certificate(der);
    const { publicKey } = ca;
    const fits =
      ca.ca &&
      ca.raw.equals(der) &&
      publicKey.asymmetricKeyDetails?.namedCurve === 'prime256v1' &&
      ca.verify(publicKey);
    return fits ? ca : undefined;
  } catch {
    return undefined;
  }
}
