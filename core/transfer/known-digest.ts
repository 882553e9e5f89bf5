/**
 * Digests that a client knows in advance, held against stored copies (PROTOCOL §7). SHA-256 is what
 * copies are named by; any other one is computed from the stored bytes when it is first asked for,
 * and remembered by object, for the bytes under a SHA-256 never change.
 *
 * Invariant: a copy fits a digest only if its own, verified bytes have it.
 */
import { createHash } from 'node:crypto';
import type { KnownDigest } from '@peerage/sdk';
import { BoundedMap } from '../base/bounded.js';
import type { Entry } from './catalogue.js';
import type { ObjectStore } from './store.js';

/** Digests remembered; about 300 bytes each. */
const REMEMBERED_MAX = 4096;

export class KnownDigests {
  private readonly store: ObjectStore;
  /** Also those that are being computed: one reading serves all who ask meanwhile. */
  private readonly found = new BoundedMap<string, Promise<string | undefined>>(REMEMBERED_MAX);

  constructor(store: ObjectStore) {
    this.store = store;
  }

  /** Whether an entry's bytes have the digest that the client knows, if it knows one. */
  async fits(entry: Entry, digest: KnownDigest | undefined): Promise<boolean> {
    if (digest === undefined) return true;
    const { sha256 } = entry.attestation;
    if (digest.algorithm === 'sha256') return sha256 === digest.hex;
    const key = `${digest.algorithm} ${sha256}`;
    const known = this.found.touch(key) ?? this.compute(entry, digest.algorithm);
    this.found.set(key, known);
    const hex = await known;
    if (hex === undefined) this.found.delete(key);
    return hex === digest.hex;
  }

  /** The digest of the stored bytes; `undefined` if they cannot be read. */
  private async compute(entry: Entry, algorithm: string): Promise<string | undefined> {
    const hash = createHash(algorithm);
    try {
      for await (const bytes of this.store.read(entry, 0, entry.attestation.sizeBytes)) {
        hash.update(bytes);
      }
      return hash.digest('hex');
    } catch {
      // The store has said what is wrong with it; here it only does not fit.
      return undefined;
    }
  }
}
