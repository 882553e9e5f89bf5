/**
 * The group policy (PROTOCOL §1.8): one signed, versioned document of the CA that binds all nodes
 * of its group: who is revoked, and which CAs are believed while one follows another (§1.9). It is
 * an exact-byte frame, so it can be passed on by anybody and verified by everybody.
 *
 * Invariants: only the CA's key signs it; versions only grow; an old one is never taken, so a node
 * that was cut off for a month goes on with what it has: it fails stale, not closed.
 */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { sealFrame, splitFrame, verifyFrame } from '../wire/frame.js';
import { accepted, rejected, type Verdict } from '../wire/rejection.js';
import { scanAttributes } from '../wire/scan.js';
import { FORMAT_VERSION, isReadable } from '../wire/version.js';
import { parseElement } from '../wire/xml.js';
import { commonName, NAME_PATTERN } from './policy.js';
import { openSuccession, readAuthorityCertificate, SUCCESSION_BYTES_MAX } from './succession.js';

/** Most names that can be revoked at once; with the longest names about 160 KB. */
export const REVOKED_MAX = 2000;
/** Largest document in bytes. */
export const POLICY_BYTES_MAX = 192 * 1024;
const LIMITS = { countMax: 16, valueLengthMax: POLICY_BYTES_MAX };
const CONTEXT = 'peerage/policy/v1';
const INTEGER = /^(0|[1-9][0-9]{0,15})$/;

/** A CA as far as it signs. */
interface Signatory {
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
}

export interface Revocation {
  /** The node's name, its lasting identity: no later key of that name is believed either. */
  readonly name: string;
  /** Since when, milliseconds since 1970. */
  readonly since: number;
}

export interface GroupPolicy {
  readonly group: string;
  /** Strictly increasing. */
  readonly version: number;
  /** When it was made, milliseconds since 1970. */
  readonly issued: number;
  readonly revoked: readonly Revocation[];
  /** Set from the first change of the CA on. */
  readonly change?: AuthorityChange;
}

/** The CA that signs the policy followed another one (§1.9). */
export interface AuthorityChange {
  /** How the CA before said so, as {@link Succession} bytes. */
  readonly succession: Buffer;
  /** The CA before, while certificates of it are still believed. */
  readonly previous: X509Certificate | undefined;
}

export interface SignedPolicy {
  readonly policy: GroupPolicy;
  /** The CA that signed it. */
  readonly ca: X509Certificate;
  /** The exact signed bytes. */
  readonly bytes: Buffer;
}

/** The CAs that are believed under a policy. */
export function anchorsUnder({ policy, ca }: SignedPolicy): readonly X509Certificate[] {
  const previous = policy.change?.previous;
  return previous === undefined ? [ca] : [ca, previous];
}

/** Signs a policy with the CA's key. */
export function signPolicy(policy: GroupPolicy, authority: Signatory): SignedPolicy {
  const revoked = policy.revoked.map(({ name, since }) => `${name}@${since}`).join(' ');
  const bytes = sealFrame(
    CONTEXT,
    [
      ['type', 'policy'],
      ['version', FORMAT_VERSION],
      ['group', policy.group],
      ['policy', String(policy.version)],
      ['issued', String(policy.issued)],
      ['revoked', revoked],
      ...changeAttributes(policy.change),
    ],
    authority.key,
  );
  return { policy, ca: authority.certificate, bytes };
}

function changeAttributes(change: AuthorityChange | undefined): Array<readonly [string, string]> {
  if (change === undefined) return [];
  const { succession, previous } = change;
  return [
    ['succession', succession.toString('base64url')],
    ...(previous === undefined ? [] : [['previous', previous.raw.toString('base64url')] as const]),
  ];
}

/**
 * Verifies and reads a policy that came from anywhere, under one of the CAs believed or under the
 * successor that one of them names in it. Never throws.
 */
export function openPolicy(
  bytes: Buffer,
  anchors: readonly X509Certificate[],
): Verdict<SignedPolicy> {
  if (bytes.length > POLICY_BYTES_MAX) return rejected('length');
  const split = splitFrame(bytes);
  if (!split.ok) return split;
  const scanned = scanAttributes(split.value.attributes, LIMITS);
  if (!scanned.ok) return scanned;
  const named = Buffer.from(scanned.value.get('succession') ?? '', 'base64url');
  const succession = openSuccession(named, anchors);
  const candidates = succession.ok ? [...anchors, succession.value.ca] : anchors;
  const ca = candidates.find(({ publicKey }) => verifyFrame(CONTEXT, split.value, publicKey));
  if (ca === undefined) return rejected('signature');
  const attributes = parseElement(bytes.toString('utf8'));
  if (attributes === undefined) return rejected('xml');
  const policy = readPolicy(attributes);
  if (policy === undefined || policy.group !== commonName(ca)) return rejected('schema');
  // Whoever signs has followed the one before, and is not it: that one's word is over.
  if (policy.change?.previous?.raw.equals(ca.raw) === true) return rejected('schema');
  return accepted({ policy, ca, bytes });
}

function readPolicy(attributes: ReadonlyMap<string, string>): GroupPolicy | undefined {
  const text = (name: string) => attributes.get(name) ?? '';
  if (text('type') !== 'policy' || !isReadable(text('version'))) return undefined;
  if (!INTEGER.test(text('policy')) || !INTEGER.test(text('issued'))) return undefined;
  const words = text('revoked') === '' ? [] : text('revoked').split(' ');
  const revoked = words.map(readRevocation);
  if (words.length > REVOKED_MAX || revoked.includes(undefined)) return undefined;
  const version = Number(text('policy'));
  const issued = Number(text('issued'));
  if (version < 1 || !Number.isSafeInteger(version) || !Number.isSafeInteger(issued))
    return undefined;
  const known = revoked.filter((entry) => entry !== undefined);
  const policy = { group: text('group'), version, issued, revoked: known };
  if (!attributes.has('succession')) return policy;
  const change = readChange(text('succession'), attributes.get('previous'), policy.group);
  return change === undefined ? undefined : { ...policy, change };
}

/** The signer vouches for both: its own succession is for others, and the CA before is named by it. */
function readChange(
  succession: string,
  previous: string | undefined,
  group: string,
): AuthorityChange | undefined {
  const bytes = Buffer.from(succession, 'base64url');
  if (bytes.length > SUCCESSION_BYTES_MAX) return undefined;
  if (previous === undefined) return { succession: bytes, previous: undefined };
  const ca = readAuthorityCertificate(Buffer.from(previous, 'base64url'));
  if (ca === undefined || commonName(ca) !== group) return undefined;
  return { succession: bytes, previous: ca };
}

function readRevocation(word: string): Revocation | undefined {
  const [name = '', since = '', ...more] = word.split('@');
  const sound = NAME_PATTERN.test(name) && INTEGER.test(since) && more.length === 0;
  return sound ? { name, since: Number(since) } : undefined;
}
