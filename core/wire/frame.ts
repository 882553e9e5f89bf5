/**
 * The frame: one XML element whose last attribute is the signature over the exact bytes before it.
 * No canonicalisation, no algorithm field: the certificate's key decides. PROTOCOL §2.1, §2.3.
 *
 *   <service a="…" b="…" sig="BASE64URL"/>
 *   └──────── signed ───┘
 *
 * Invariants: canonical base64url only, so a signature has one spelling; the signed bytes carry a
 * context tag, so that a packet can never pass for an attestation or the other way round.
 */
import { type KeyObject, sign, verify } from 'node:crypto';
import { accepted, rejected, type Verdict } from './rejection.js';

/** What a signature is for. */
export type FrameContext =
  | 'peerage/packet/v1'
  | 'peerage/attestation/v1'
  | 'peerage/flight/v1'
  | 'peerage/policy/v1'
  | 'peerage/succession/v1';

const OPENING = Buffer.from('<service ');
const SIGNATURE_START = ' sig="';
const CLOSING = '"/>';
/** A P-256 signature in IEEE P1363 form: 64 bytes, 86 characters, the last one of four. */
const SIGNATURE_LENGTH = 86;
const SIGNATURE_PATTERN = /^[A-Za-z0-9_-]{85}[AQgw]$/;
const TAIL_LENGTH = SIGNATURE_START.length + SIGNATURE_LENGTH + CLOSING.length;

export interface Frame {
  /** The signed bytes: everything before ` sig="`. */
  readonly signed: Buffer;
  /** The attributes' text: between `<service ` and ` sig="`. */
  readonly attributes: Buffer;
  readonly signature: Buffer;
}

/** Splits bytes into their signed part and the signature; looks at nothing in between. */
export function splitFrame(bytes: Buffer): Verdict<Frame> {
  const cut = bytes.length - TAIL_LENGTH;
  if (cut <= OPENING.length) return rejected('length');
  if (bytes.compare(OPENING, 0, OPENING.length, 0, OPENING.length) !== 0) return rejected('frame');
  const tail = bytes.toString('latin1', cut);
  if (!tail.startsWith(SIGNATURE_START) || !tail.endsWith(CLOSING)) return rejected('frame');
  const text = tail.slice(SIGNATURE_START.length, -CLOSING.length);
  if (!SIGNATURE_PATTERN.test(text)) return rejected('frame');
  return accepted({
    signed: bytes.subarray(0, cut),
    attributes: bytes.subarray(OPENING.length, cut),
    signature: Buffer.from(text, 'base64url'),
  });
}

function tagged(context: FrameContext, signed: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${context}\0`), signed]);
}

/** Makes a frame of attributes, in the order given. */
export function sealFrame(
  context: FrameContext,
  attributes: ReadonlyArray<readonly [string, string]>,
  key: KeyObject,
): Buffer {
  const text = attributes.map(([name, value]) => `${name}="${escapeAttribute(value)}"`).join(' ');
  const signed = Buffer.from(`<service ${text}`);
  const signature = sign('sha256', tagged(context, signed), { key, dsaEncoding: 'ieee-p1363' });
  return Buffer.from(`${signed}${SIGNATURE_START}${signature.toString('base64url')}${CLOSING}`);
}

/** Whether the frame was signed by the owner of `key` for this context. */
export function verifyFrame(context: FrameContext, frame: Frame, key: KeyObject): boolean {
  const options = { key, dsaEncoding: 'ieee-p1363' } as const;
  return verify('sha256', tagged(context, frame.signed), options, frame.signature);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

function escapeAttribute(value: string): string {
  return value.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}
