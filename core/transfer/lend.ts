/**
 * Lending: the answer to one request, written down so that a plugin may give it to the very same
 * request again without asking, until it is no longer fresh or the copy goes.
 *
 * What is decided here is decided by the request path's own rules; a borrower needs to know none
 * of HTTP. Invariant: nothing is lent that a call at the same moment would not answer from here.
 */
import type { Counters } from '../base/bounded.js';
import type { Loan } from '../ports/leases.js';
import type { Ask } from './ask.js';
import type { Entry } from './catalogue.js';
import { deliveredHeaders, freshUntil } from './freshness.js';
import type { ObjectStore } from './store.js';

/** Largest object lent, in bytes: its list of hashes, 2 MiB, travels to the borrower. */
const LENT_BYTES_MAX = 16 * 1024 ** 3;

export interface LendOptions {
  readonly store: ObjectStore;
  readonly counters: Counters;
  readonly nowMs: number;
}

/** Whether the entry's URL always names these bytes, or the request names them itself. */
export function isImmutable(entry: Entry, { policy }: Ask): boolean {
  const { digest, immutable } = policy;
  const known = digest?.algorithm === 'sha256' && digest.hex === entry.attestation.sha256;
  return known || entry.immutable || immutable === true;
}

/** An entry as a loan; `undefined` if it is not fresh, or too large. */
export async function lend(
  entry: Entry,
  ask: Ask,
  options: LendOptions,
): Promise<Loan | undefined> {
  const { store, counters, nowMs } = options;
  const { attestation } = entry;
  const { url, variant, sha256, sizeBytes, status } = attestation;
  const freshUntilMs = freshUntil(attestation, ask.headers, isImmutable(entry, ask));
  if (nowMs >= freshUntilMs || sizeBytes > LENT_BYTES_MAX) return undefined;
  return {
    url,
    variant,
    sha256,
    sizeBytes,
    status,
    headers: Object.entries(deliveredHeaders(attestation, nowMs)),
    freshUntilMs,
    path: store.pathOf(entry),
    hashes: await store.hashes(entry),
    isCurrent: () => store.findAttestation(entry.id) === entry,
    used: (times, bytes) => {
      store.touch(entry);
      counters.add('requests-leased', times);
      counters.add('bytes-from-store', bytes);
    },
  };
}
