/**
 * Members that contradict themselves (PROTOCOL §7): two attestations by one node of the same answer
 * (URL, variant, moment of fetching) that name different bytes. One of them is a lie, whoever passed
 * it on; both together prove it to everybody, for both are signed.
 *
 * Invariants: only attestations that were verified come in; what is remembered is bounded, the
 * least recently seen goes first; a contradiction once found stays until as many others were found.
 */
import { createHash } from 'node:crypto';
import { BoundedMap } from '../base/bounded.js';
import type { Attestation } from './attestation.js';

/** Answers remembered, about 400 bytes each; a LAN's worth of new objects in a day. */
const SEEN_MAX = 16_384;
/** Contradictions kept for the admin. */
const FOUND_MAX = 64;

/** Two words of one node that cannot both be true. */
export interface Equivocation {
  /** Name of the node that signed both. */
  readonly signer: string;
  readonly url: string;
  readonly variant: string;
  /** When it says to have fetched it, milliseconds since 1970. */
  readonly fetchedAt: number;
  /** What it says that the bytes are, first and then. */
  readonly sha256: readonly [string, string];
  /** The two documents, by the SHA-256 of their bytes. */
  readonly attestations: readonly [string, string];
}

interface Said {
  readonly bytes: string;
  readonly sha256: string;
  readonly id: string;
}

export class EquivocationWatch {
  private readonly seen = new BoundedMap<string, Said>(SEEN_MAX);
  private readonly found = new BoundedMap<string, Equivocation>(FOUND_MAX);
  /** Called once for each answer of which a contradiction is found. */
  onFound: ((found: Equivocation) => void) | undefined;

  /** Whether this word agrees with what its signer said before. @param id its bytes' SHA-256 */
  agrees(attestation: Attestation, signer: string, id: string): boolean {
    const { url, variant, fetchedAt, sha256, sizeBytes, chain } = attestation;
    const about = createHash('sha256').update(JSON.stringify([signer, url, variant, fetchedAt]));
    const key = about.digest('base64url');
    const bytes = `${sha256} ${sizeBytes} ${chain}`;
    const before = this.seen.touch(key);
    if (before === undefined) this.seen.set(key, { bytes, sha256, id });
    if (before === undefined || before.bytes === bytes) return true;
    if (this.found.touch(key) !== undefined) return false;
    const found: Equivocation = {
      signer,
      url,
      variant,
      fetchedAt,
      sha256: [before.sha256, sha256],
      attestations: [before.id, id],
    };
    this.found.set(key, found);
    this.onFound?.(found);
    return false;
  }

  list(): Equivocation[] {
    return [...this.found.values()];
  }
}
