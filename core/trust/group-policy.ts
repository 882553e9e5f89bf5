/**
 * The group policy (PROTOCOL §1.8): one signed, versioned document of the CA that binds all nodes
 * of its group; today it holds who is revoked. It is an exact-byte frame, so it can be passed on by
 * anybody and verified by everybody.
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

/** Most names that can be revoked at once; with the longest names about 160 KB. */
export const REVOKED_MAX = 2000;
/** Largest document in bytes. */
export const POLICY_BYTES_MAX = 192 * 1024;
const LIMITS = { countMax: 16, valueLengthMax: POLICY_BYTES_MAX };
const CONTEXT = 'peerage/policy/v1';
const INTEGER = /^(0|[1-9][0-9]{0,15})$/;

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
}

export interface SignedPolicy {
  readonly policy: GroupPolicy;
  /** The exact signed bytes. */
  readonly bytes: Buffer;
}

/** Signs a policy with the CA's key. */
export function signPolicy(policy: GroupPolicy, key: KeyObject): SignedPolicy {
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
    ],
    key,
  );
  return { policy, bytes };
}

/** Verifies and reads a policy that came from anywhere. Never throws. */
export function openPolicy(bytes: Buffer, ca: X509Certificate): Verdict<SignedPolicy> {
  if (bytes.length > POLICY_BYTES_MAX) return rejected('length');
  const split = splitFrame(bytes);
  if (!split.ok) return split;
  const scanned = scanAttributes(split.value.attributes, LIMITS);
  if (!scanned.ok) return scanned;
  if (!verifyFrame(CONTEXT, split.value, ca.publicKey)) return rejected('signature');
  const attributes = parseElement(bytes.toString('utf8'));
  if (attributes === undefined) return rejected('xml');
  const policy = readPolicy(attributes);
  if (policy === undefined || policy.group !== commonName(ca)) return rejected('schema');
  return accepted({ policy, bytes });
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
  return { group: text('group'), version, issued, revoked: known };
}

function readRevocation(word: string): Revocation | undefined {
  const [name = '', since = '', ...more] = word.split('@');
  const sound = NAME_PATTERN.test(name) && INTEGER.test(since) && more.length === 0;
  return sound ? { name, since: Number(since) } : undefined;
}
