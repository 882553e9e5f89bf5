/** The members of a made-up group, and of a foreign one: real keys and certificates. */

import type { AttestationSigner } from '@peerage/core/trust/attestation.js';
import {
  type Authority,
  createAuthority,
  type Identity,
  issueIdentity,
} from '@peerage/core/trust/authority.js';

const DAYS = 30;
const authorities = new Map<string, Authority>();
const members = new Map<string, Identity>();

export function groupAuthority(group = 'office'): Authority {
  const known = authorities.get(group) ?? createAuthority(group, Date.now());
  authorities.set(group, known);
  return known;
}

/** The identity of `name` in a group; the same each time. */
export function member(name: string, group = 'office'): Identity {
  const key = `${group}/${name}`;
  const known = members.get(key) ?? issueIdentity(groupAuthority(group), name, DAYS, Date.now());
  members.set(key, known);
  return known;
}

export function signerOf({ kid, name, key, certificate }: Identity): AttestationSigner {
  return { kid, name, key, certificate: certificate.raw.toString('base64url') };
}
