/**
 * After a renewal this node's own attestations are signed anew (PROTOCOL §7): they carry the
 * signer's certificate and are taken by others only while it is good.
 */
import { signAttestation } from '../trust/attestation.js';
import type { Identity } from '../trust/authority.js';
import type { ObjectStore } from './store.js';

/** Signs again what `identity` signed with an earlier key; the number of attestations. */
export async function resignOwn(store: ObjectStore, identity: Identity): Promise<number> {
  const { kid, name, key, certificate } = identity;
  const signer = { kid, name, key, certificate: certificate.raw.toString('base64url') };
  const own = [...store.entries()].filter((entry) => entry.signer === name);
  for (const { attestation, immutable, shareable } of own) {
    await store.addEntry(signAttestation(attestation, signer), { immutable, shareable });
  }
  return own.length;
}
