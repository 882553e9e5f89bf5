/**
 * Signed documents of members other than packets (attestations, heads of flights): the one way in.
 * They carry their signer's certificate, so that they can be verified wherever they have travelled.
 * Never throws.
 */
import { type FrameContext, splitFrame, verifyFrame } from '../wire/frame.js';
import type { Keyring, KnownKey } from '../wire/open.js';
import { accepted, rejected, type Verdict } from '../wire/rejection.js';
import { type ScanLimits, scanAttributes } from '../wire/scan.js';
import { parseElement } from '../wire/xml.js';

/** What a kind of document is bounded by. */
export interface DocumentLimits extends ScanLimits {
  readonly bytesMax: number;
}

export interface OpenedDocument {
  readonly attributes: ReadonlyMap<string, string>;
  readonly signer: KnownKey;
}

/** Checks size, form, signer and signature; then the parser reads the same bytes (§2.4). */
export function openDocument(
  context: FrameContext,
  bytes: Buffer,
  limits: DocumentLimits,
  keyring: Keyring,
): Verdict<OpenedDocument> {
  if (bytes.length > limits.bytesMax) return rejected('length');
  const split = splitFrame(bytes);
  if (!split.ok) return split;
  const scanned = scanAttributes(split.value.attributes, limits);
  if (!scanned.ok) return scanned;
  const kid = scanned.value.get('kid') ?? '';
  const signer = keyring.find(kid) ?? keyring.learn(kid, scanned.value.get('cert') ?? '');
  if (signer === undefined) return rejected('unknown-kid');
  if (keyring.isRevoked(signer.name)) return rejected('revoked');
  if (!verifyFrame(context, split.value, signer.key)) return rejected('signature');
  const attributes = parseElement(bytes.toString('utf8'));
  return attributes === undefined ? rejected('xml') : accepted({ attributes, signer });
}
