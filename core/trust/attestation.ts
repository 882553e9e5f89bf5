/**
 * Provenance (PROTOCOL §7): the node that fetched a resource from its origin signs what it got.
 * The signed bytes are stored with the object, travel with it unchanged, and are verified by every
 * consumer, however many hops away. They carry the signer's certificate.
 */
import { createHash, type KeyObject } from 'node:crypto';
import { sealFrame } from '../wire/frame.js';
import { accepted, rejected, type Verdict } from '../wire/rejection.js';
import { FORMAT_VERSION, isReadable } from '../wire/version.js';
import { parseElement } from '../wire/xml.js';
import { openDocument } from './document.js';
import type { Witness } from './keyring.js';

/** Largest attestation in bytes: a page of headers. */
export const ATTESTATION_BYTES_MAX = 64 * 1024;
const LIMITS = { bytesMax: ATTESTATION_BYTES_MAX, countMax: 24, valueLengthMax: 48 * 1024 };
const CONTEXT = 'peerage/attestation/v1';

/** What was fetched. Times are wall-clock milliseconds since 1970. */
export interface Attestation {
  readonly url: string;
  /** The request variant (§7), `*` if the origin does not vary. */
  readonly variant: string;
  readonly status: number;
  /** The origin's headers that are stored, lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Last link of the chain over the pieces, hexadecimal. */
  readonly chain: string;
  readonly fetchedAt: number;
  /** Until when the fetcher takes it for fresh. */
  readonly expiresAt: number;
  /** Whether it came over TLS. */
  readonly tls: boolean;
  /** Names of the nodes whose download was continued, first to last (§5.4). */
  readonly after?: readonly string[];
}

export interface SignedAttestation {
  readonly attestation: Attestation;
  /** Name of the node that signed. */
  readonly signer: string;
  /** The exact signed bytes. */
  readonly bytes: Buffer;
}

export interface AttestationSigner {
  readonly kid: string;
  readonly name: string;
  readonly key: KeyObject;
  /** Certificate, base64url DER. */
  readonly certificate: string;
}

/** Signs an attestation. */
export function signAttestation(
  attestation: Attestation,
  signer: AttestationSigner,
): SignedAttestation {
  const bytes = sealFrame(
    CONTEXT,
    [
      ['type', 'attestation'],
      ['version', FORMAT_VERSION],
      ['url', attestation.url],
      ['variant', attestation.variant],
      ['status', String(attestation.status)],
      ['headers', encodeHeaders(attestation.headers)],
      ['size', String(attestation.sizeBytes)],
      ['sha256', attestation.sha256],
      ['chain', attestation.chain],
      ['fetched-at', String(attestation.fetchedAt)],
      ['expires', String(attestation.expiresAt)],
      ['tls', attestation.tls ? '1' : '0'],
      ...(attestation.after === undefined ? [] : [['after', attestation.after.join(' ')] as const]),
      ['kid', signer.kid],
      ['cert', signer.certificate],
    ],
    signer.key,
  );
  return { attestation, signer: signer.name, bytes };
}

/** Verifies and reads an attestation that came from anywhere. Never throws. */
export function openAttestation(bytes: Buffer, keyring: Witness): Verdict<SignedAttestation> {
  const opened = openDocument(CONTEXT, bytes, LIMITS, keyring);
  if (!opened.ok) return opened;
  const { attributes, signer } = opened.value;
  const attestation = readAttestation(attributes);
  if (attestation === undefined) return rejected('schema');
  const id = createHash('sha256').update(bytes).digest('hex');
  if (keyring.agrees?.(attestation, signer.name, id) === false) return rejected('contradiction');
  return accepted({ attestation, signer: signer.name, bytes });
}

/**
 * Reads an attestation that this node itself verified when it stored it; checks the form only.
 * `signer` is the name in its certificate as it was then, so it is passed in by whoever knows it.
 */
export function readStoredAttestation(bytes: Buffer): Attestation | undefined {
  const attributes = parseElement(bytes.toString('utf8'));
  return attributes === undefined ? undefined : readAttestation(attributes);
}

const HEX = /^[0-9a-f]{64}$/;
const INTEGER = /^(0|[1-9][0-9]{0,15})$/;
const HEADER_NAME = /^[a-z0-9-]{1,64}$/;
/** What may stand in a field of HTTP; anything else would end the line or throw where it is sent. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function readAttestation(attributes: ReadonlyMap<string, string>): Attestation | undefined {
  const text = (name: string) => attributes.get(name) ?? '';
  const integer = (name: string) => (INTEGER.test(text(name)) ? Number(text(name)) : Number.NaN);
  const headers = decodeHeaders(text('headers'));
  const attestation = {
    url: text('url'),
    variant: text('variant'),
    status: integer('status'),
    headers: headers ?? {},
    sizeBytes: integer('size'),
    sha256: text('sha256'),
    chain: text('chain'),
    fetchedAt: integer('fetched-at'),
    expiresAt: integer('expires'),
    tls: text('tls') === '1',
    ...(attributes.has('after') ? { after: text('after').split(' ') } : {}),
  };
  const { url, variant, status, sizeBytes, fetchedAt, expiresAt } = attestation;
  const sound =
    text('type') === 'attestation' &&
    isReadable(text('version')) &&
    url !== '' &&
    variant !== '' &&
    headers !== undefined &&
    [status, sizeBytes, fetchedAt, expiresAt].every(Number.isSafeInteger) &&
    HEX.test(attestation.sha256) &&
    HEX.test(attestation.chain) &&
    /^[01]$/.test(text('tls'));
  return sound ? attestation : undefined;
}

/** Response headers as one attribute: base64url of JSON. */
export function encodeHeaders(headers: Readonly<Record<string, string>>): string {
  return Buffer.from(JSON.stringify(headers)).toString('base64url');
}

/** The headers back; `undefined` if they are not plain names and texts. Never throws. */
export function decodeHeaders(encoded: string): Record<string, string> | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
    const pairs = Object.entries(parsed);
    const plain = pairs.every(
      ([name, value]) =>
        HEADER_NAME.test(name) && typeof value === 'string' && HEADER_VALUE.test(value),
    );
    return plain ? (Object.fromEntries(pairs) as Record<string, string>) : undefined;
  } catch {
    return undefined;
  }
}
