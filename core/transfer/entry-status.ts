/** An entry of the store as the admin sees it (`peerage cache list`). */
import type { CacheEntryStatus } from '../ports/ports.js';
import type { Entry } from './catalogue.js';

export function entryStatus({ attestation, pinned, signer }: Entry): CacheEntryStatus {
  return {
    url: attestation.url,
    variant: attestation.variant,
    sizeBytes: attestation.sizeBytes,
    sha256: attestation.sha256,
    fetchedAt: new Date(attestation.fetchedAt).toISOString(),
    expiresAt: new Date(attestation.expiresAt).toISOString(),
    fetchedBy: signer,
    pinned,
  };
}
