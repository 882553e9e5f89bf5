/**
 * The object store: content by digest with an index that survives a kill at any point. Objects and
 * attestations are files (`object-files`), the index is in memory (`catalogue`) with a journal on
 * disk (`journal`); if the journal is unusable the index is rebuilt from the attestations.
 *
 * Order of a commit: object synced and renamed, attestation renamed, journal line. A kill in
 * between leaves files that nothing refers to, never an entry without its file; the former are
 * taken in or swept at the next start.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from '../ports/log.js';
import {
  type Attestation,
  readStoredAttestation,
  type SignedAttestation,
} from '../trust/attestation.js';
import { Catalogue, type Entry } from './catalogue.js';
import { Journal } from './journal.js';
import { type Incoming, ObjectFiles } from './object-files.js';

export interface StoreOptions {
  readonly directory: string;
  readonly quotaBytes: number;
  readonly logger: Logger;
}

/** What a rule said of an entry when it was made. */
export interface EntryRules {
  readonly immutable: boolean;
  readonly shareable: boolean;
}

/** Journal lines beyond twice the entries, and at least this many, before it is rewritten. */
const COMPACT_LINES_MIN = 1000;

export class ObjectStore {
  readonly quotaBytes: number;
  private readonly files: ObjectFiles;
  private readonly journal: Journal;
  private readonly catalogue = new Catalogue();
  private readonly logger: Logger;
  private compacting: Promise<void> | undefined;

  private constructor(options: StoreOptions) {
    this.quotaBytes = options.quotaBytes;
    this.logger = options.logger;
    this.files = new ObjectFiles(options.directory);
    this.journal = new Journal(join(options.directory, 'index.jsonl'));
  }

  /** Opens or makes a store. @throws CodedError `E_STORE_UNUSABLE` */
  static async open(options: StoreOptions): Promise<ObjectStore> {
    const store = new ObjectStore(options);
    await store.files.prepare();
    await store.load();
    return store;
  }

  find(url: string, variant: string): Entry | undefined {
    return this.catalogue.find(url, variant);
  }

  /** An entry whose bytes have this SHA-256, whatever its URL. */
  findObject(sha256: string): Entry | undefined {
    return this.catalogue.findObject(sha256);
  }

  findAttestation(id: string): Entry | undefined {
    return this.catalogue.get(id);
  }

  touch(entry: Entry): void {
    this.catalogue.touch(entry);
  }

  entries(): IterableIterator<Entry> {
    return this.catalogue.values();
  }

  get objects(): number {
    return this.catalogue.objects;
  }

  get storedBytes(): number {
    return this.catalogue.storedBytes;
  }

  /** A file for bytes to come. */
  create(): Promise<Incoming> {
    return this.files.create();
  }

  discard(incoming: Incoming): Promise<void> {
    return this.files.discard(incoming);
  }

  /** Takes complete bytes in, with who vouches for them. */
  async commit(
    incoming: Incoming,
    hashes: Buffer,
    signed: SignedAttestation,
    rules: EntryRules,
  ): Promise<Entry> {
    const { sha256 } = signed.attestation;
    if (this.catalogue.hasObject(sha256)) await this.files.discard(incoming);
    else await this.files.keep(incoming, sha256, hashes);
    return this.addEntry(signed, rules);
  }

  /** A newer attestation for bytes that are already here (a revalidation, another URL). */
  addEntry(signed: SignedAttestation, rules: EntryRules): Promise<Entry> {
    return this.putEntry(signed, rules);
  }

  /** The exact signed bytes of an entry's attestation. */
  attestationBytes(entry: Entry): Promise<Buffer> {
    return this.files.readAttestation(entry.id);
  }

  hashes(entry: Entry): Promise<Buffer> {
    const { sha256, chain } = entry.attestation;
    return this.files.readHashes(sha256, chain);
  }

  /**
   * Bytes `start` to `end` (exclusive), verified. A damaged object is dropped at once.
   * @throws CodedError `E_OBJECT_CORRUPT`
   */
  async *read(entry: Entry, start: number, end: number): AsyncGenerator<Buffer> {
    try {
      const hashes = await this.hashes(entry);
      yield* this.files.read(entry.attestation.sha256, hashes, start, end);
    } catch (error) {
      await this.dropObject(entry.attestation.sha256);
      throw error;
    }
  }

  async pin(url: string, pinned: boolean): Promise<number> {
    const entries = this.catalogue.all(url);
    for (const entry of entries) {
      this.catalogue.replace({ ...entry, pinned });
      await this.journal.append({ op: 'pin', attestation: entry.id, pinned });
    }
    return entries.length;
  }

  async purge(url: string): Promise<number> {
    const entries = this.catalogue.all(url);
    for (const entry of entries) await this.drop(entry);
    return entries.length;
  }

  async drop(entry: Entry): Promise<void> {
    const { orphaned } = this.catalogue.remove(entry);
    await this.journal.append({ op: 'drop', attestation: entry.id });
    await this.files.removeAttestation(entry.id);
    if (orphaned) await this.files.remove(entry.attestation.sha256);
    await this.compactIfWorthwhile();
  }

  async close(): Promise<void> {
    await this.compacting;
    await this.journal.rewrite(await this.snapshot()).catch((error: unknown) => {
      this.logger.log('warn', 'store-index-not-written', { error });
    });
  }

  private async dropObject(sha256: string): Promise<void> {
    this.logger.log('error', 'object-corrupt', { code: 'E_OBJECT_CORRUPT', sha256 });
    for (;;) {
      const entry = this.catalogue.findObject(sha256);
      if (entry === undefined) return;
      await this.drop(entry);
    }
  }

  private async putEntry(signed: SignedAttestation, rules: EntryRules): Promise<Entry> {
    const { bytes, attestation, signer } = signed;
    const id = createHash('sha256').update(bytes).digest('hex');
    await this.files.keepAttestation(id, bytes);
    const entry: Entry = { id, attestation, signer, ...rules, pinned: this.wasPinned(attestation) };
    const frame = bytes.toString('utf8');
    await this.journal.append({
      op: 'put',
      attestation: id,
      frame,
      signer,
      ...rules,
      pinned: entry.pinned,
    });
    for (const replaced of this.catalogue.add(entry)) await this.drop(replaced);
    await this.evict();
    return entry;
  }

  private wasPinned({ url, variant }: Attestation): boolean {
    return this.catalogue.find(url, variant)?.pinned ?? false;
  }

  private async evict(): Promise<void> {
    while (this.catalogue.storedBytes > this.quotaBytes) {
      const victim = this.catalogue.victim();
      if (victim === undefined) return;
      await this.drop(victim);
    }
  }

  private async load(): Promise<void> {
    const objects = await this.files.list('objects');
    const journal = await this.journal.read();
    for (const record of journal?.records ?? []) {
      const known = this.catalogue.get(record.attestation);
      if (record.op === 'put') {
        this.take(record.attestation, Buffer.from(record.frame), objects, record);
      } else if (known !== undefined && record.op === 'drop') {
        this.catalogue.remove(known);
      } else if (known !== undefined && record.op === 'pin') {
        this.catalogue.replace({ ...known, pinned: record.pinned });
      }
    }
    if (journal === undefined || journal.damaged > 0) await this.rebuild(objects);
    await this.sweep(objects);
    await this.journal.rewrite(await this.snapshot());
  }

  /** Takes in the attestations on disk that the journal does not know. */
  private async rebuild(objects: ReadonlySet<string>): Promise<void> {
    const before = this.catalogue.size;
    for (const id of await this.files.list('attestations')) {
      if (this.catalogue.get(id) !== undefined) continue;
      const bytes = await this.files.readAttestation(id);
      const matches = createHash('sha256').update(bytes).digest('hex') === id;
      if (matches) this.take(id, bytes, objects, undefined);
    }
    const found = this.catalogue.size - before;
    if (found > 0) this.logger.log('warn', 'store-index-rebuilt', { entries: found });
  }

  private take(
    id: string,
    bytes: Buffer,
    objects: ReadonlySet<string>,
    flags: (EntryRules & { readonly pinned: boolean; readonly signer: string }) | undefined,
  ): void {
    const attestation = readStoredAttestation(bytes);
    if (attestation === undefined || !objects.has(attestation.sha256)) return;
    const { immutable, shareable, pinned, signer } = flags ?? {
      immutable: false,
      shareable: attestation.tls,
      pinned: false,
      signer: '',
    };
    for (const old of this.catalogue.add({
      id,
      attestation,
      signer,
      immutable,
      shareable,
      pinned,
    })) {
      this.catalogue.remove(old);
    }
  }

  /** Removes the files that no entry refers to: a kill in the middle of a commit left them. */
  private async sweep(objects: ReadonlySet<string>): Promise<void> {
    for (const sha256 of objects) {
      if (!this.catalogue.hasObject(sha256)) await this.files.remove(sha256);
    }
    for (const id of await this.files.list('attestations')) {
      if (this.catalogue.get(id) === undefined) await this.files.removeAttestation(id);
    }
  }

  private async snapshot() {
    const records = [];
    for (const { id, signer, immutable, shareable, pinned } of this.catalogue.values()) {
      const bytes = await this.files.readAttestation(id).catch(() => undefined);
      if (bytes === undefined) continue;
      const frame = bytes.toString('utf8');
      const rules = { immutable, shareable, pinned };
      records.push({ op: 'put', attestation: id, frame, signer, ...rules } as const);
    }
    return records;
  }

  private async compactIfWorthwhile(): Promise<void> {
    const worthwhile = this.journal.lines > Math.max(COMPACT_LINES_MIN, 2 * this.catalogue.size);
    if (!worthwhile || this.compacting !== undefined) return;
    this.compacting = this.snapshot()
      .then((records) => this.journal.rewrite(records))
      .catch((error: unknown) => this.logger.log('warn', 'store-index-not-written', { error }))
      .finally(() => {
        this.compacting = undefined;
      });
    await this.compacting;
  }
}
