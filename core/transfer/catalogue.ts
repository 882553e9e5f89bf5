/**
 * What the store holds, in memory: entries (a URL's variant, attested) over objects (bytes by
 * hash), in order of last use. Pure bookkeeping; `store` does the files.
 *
 * Invariants: `storedBytes` is the sum over distinct objects; the order of the map is the order of
 * last use; a pinned entry is never named as a victim; at most VARIANTS_MAX entries per URL.
 */
import type { Attestation } from '../trust/attestation.js';

/** Variants kept per URL; a server that varies without end must not fill the index. */
const VARIANTS_MAX = 8;

export interface Entry {
  /** SHA-256 of the attestation's bytes: the entry's identity. */
  readonly id: string;
  readonly attestation: Attestation;
  /** Name of the node that fetched and signed it. */
  readonly signer: string;
  /** The URL always names these bytes (a rule said so). */
  readonly immutable: boolean;
  /** Peers may have it (§7). */
  readonly shareable: boolean;
  readonly pinned: boolean;
}

export class Catalogue {
  private readonly entries = new Map<string, Entry>();
  private readonly byUrl = new Map<string, string[]>();
  private readonly byObject = new Map<string, Set<string>>();
  storedBytes = 0;

  get size(): number {
    return this.entries.size;
  }

  get objects(): number {
    return this.byObject.size;
  }

  values(): IterableIterator<Entry> {
    return this.entries.values();
  }

  get(id: string): Entry | undefined {
    return this.entries.get(id);
  }

  hasObject(sha256: string): boolean {
    return this.byObject.has(sha256);
  }

  /** An entry whose bytes have this hash, one that may be shared if there is one. */
  findObject(sha256: string): Entry | undefined {
    let found: Entry | undefined;
    for (const id of this.byObject.get(sha256) ?? []) {
      const entry = this.entries.get(id);
      if (entry?.shareable === true) return entry;
      found ??= entry;
    }
    return found;
  }

  /** The entry of a URL for a request variant; one that does not vary serves every variant. */
  find(url: string, variant: string): Entry | undefined {
    for (const id of this.byUrl.get(url) ?? []) {
      const entry = this.entries.get(id);
      const own = entry?.attestation.variant;
      if (own === '*' || own === variant) return entry;
    }
    return undefined;
  }

  all(url: string): Entry[] {
    const ids = this.byUrl.get(url) ?? [];
    return ids.map((id) => this.entries.get(id)).filter((entry) => entry !== undefined);
  }

  /** Makes an entry the most recently used. */
  touch(entry: Entry): void {
    if (!this.entries.delete(entry.id)) return;
    this.entries.set(entry.id, entry);
  }

  /** Adds an entry; returns those it replaces (same URL and variant, or too many variants). */
  add(entry: Entry): Entry[] {
    const { url, variant, sha256, sizeBytes } = entry.attestation;
    const siblings = this.all(url).filter((other) => other.id !== entry.id);
    const replaced = siblings.filter(({ attestation }) => {
      return attestation.variant === variant || attestation.variant === '*' || variant === '*';
    });
    const left = siblings.filter((other) => !replaced.includes(other));
    replaced.push(...left.slice(VARIANTS_MAX - 1));
    const holders = this.byObject.get(sha256) ?? new Set();
    if (holders.size === 0) this.storedBytes += sizeBytes;
    holders.add(entry.id);
    this.byObject.set(sha256, holders);
    this.entries.delete(entry.id);
    this.entries.set(entry.id, entry);
    const ids = (this.byUrl.get(url) ?? []).filter((id) => id !== entry.id);
    this.byUrl.set(url, [entry.id, ...ids]);
    return replaced;
  }

  replace(entry: Entry): void {
    if (this.entries.has(entry.id)) this.entries.set(entry.id, entry);
  }

  /** Removes an entry; says whether its object is no longer referred to. */
  remove(entry: Entry): { readonly orphaned: boolean } {
    if (!this.entries.delete(entry.id)) return { orphaned: false };
    const { url, sha256, sizeBytes } = entry.attestation;
    const ids = (this.byUrl.get(url) ?? []).filter((id) => id !== entry.id);
    if (ids.length === 0) this.byUrl.delete(url);
    else this.byUrl.set(url, ids);
    const holders = this.byObject.get(sha256);
    holders?.delete(entry.id);
    if (holders === undefined || holders.size > 0) return { orphaned: false };
    this.byObject.delete(sha256);
    this.storedBytes -= sizeBytes;
    return { orphaned: true };
  }

  /** The least recently used entry that is not pinned. */
  victim(): Entry | undefined {
    for (const entry of this.entries.values()) {
      if (!entry.pinned) return entry;
    }
    return undefined;
  }
}
