/**
 * The object store: content by digest with an index that survives a kill at any point. Objects and
 * attestations are files (`object-files`), the index is in memory (`catalogue`) with a journal on
 * disk (`journal`); what the journal lost is rebuilt from the attestations.
 *
 * Order of a commit: object synced and renamed, attestation renamed, journal line. A kill in
 * between leaves files that nothing refers to, never an entry without its file; the former are
 * taken in or swept at the next start. What the journal says was dropped is never taken in.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { CodedError, errorCode } from '@peerage/sdk';
import { BoundedMap } from '../base/bounded.js';
import { Listeners } from '../base/listeners.js';
import type { Logger } from '../ports/log.js';
import type { GoneReason, ObjectsGone } from '../ports/ports.js';
import { readStoredAttestation, type SignedAttestation } from '../trust/attestation.js';
import { commonName } from '../trust/policy.js';
import { parseElement } from '../wire/xml.js';
import { Catalogue, type Entry } from './catalogue.js';
import { Journal, type JournalRecord } from './journal.js';
import { type Incoming, ObjectFiles } from './object-files.js';
import { Turns } from './turns.js';

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

/** Damaged copies whose pin is remembered until they are fetched anew. */
const LOST_PINS_MAX = 1024;

export class ObjectStore {
  readonly quotaBytes: number;
  /** Told of copies that went, in the turn in which they did. */
  readonly gone = new Listeners<ObjectsGone>();
  private readonly files: ObjectFiles;
  private readonly journal: Journal;
  private readonly catalogue = new Catalogue();
  /** By digest: bytes are never removed while the same bytes are being taken in. */
  private readonly turns = new Turns();
  /** URLs whose pinned copy was damaged: the next one is pinned again. */
  private readonly lostPins = new BoundedMap<string, true>(LOST_PINS_MAX);
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
    try {
      await store.files.prepare();
      await store.load();
    } catch (cause) {
      const { directory } = options;
      throw new CodedError('E_STORE_UNUSABLE', `the store ${directory} cannot be used`, {
        expected: 'a directory that the service may read and write',
        action: 'mend its permissions or set core.storeDirectory',
        cause,
      });
    }
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
    return this.files.create(this.quotaBytes);
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
    return this.settle(
      await this.turns.take(sha256, async () => {
        if (this.catalogue.hasObject(sha256)) await this.files.discard(incoming);
        else await this.files.keep(incoming, sha256, hashes);
        return this.putEntry(signed, rules);
      }),
    );
  }

  /**
   * A newer attestation for bytes that are already here (a revalidation).
   * @returns `undefined` if the bytes are gone by now
   */
  async addEntry(signed: SignedAttestation, rules: EntryRules): Promise<Entry | undefined> {
    const { sha256 } = signed.attestation;
    const put = await this.turns.take(sha256, async () => {
      return this.catalogue.hasObject(sha256) ? this.putEntry(signed, rules) : undefined;
    });
    return put === undefined ? undefined : this.settle(put);
  }

  /** The file of an entry's object; whoever reads it past this store checks its pieces himself. */
  pathOf(entry: Entry): string {
    return this.files.path('objects', entry.attestation.sha256);
  }

  /** The exact signed bytes of an entry's attestation. */
  attestationBytes(entry: Entry): Promise<Buffer> {
    return this.files.readAttestation(entry.id);
  }

  /** Its piece hashes, verified. A damaged object is dropped. @throws CodedError `E_OBJECT_CORRUPT` */
  async hashes(entry: Entry): Promise<Buffer> {
    const { sha256, chain } = entry.attestation;
    try {
      return await this.files.readHashes(sha256, chain);
    } catch (error) {
      throw await this.judged(error, sha256);
    }
  }

  /**
   * Bytes `start` to `end` (exclusive), verified. A damaged object is dropped at once.
   * @param hashes its piece hashes, where the caller has them already
   * @throws CodedError `E_OBJECT_CORRUPT`
   */
  async *read(entry: Entry, start: number, end: number, hashes?: Buffer): AsyncGenerator<Buffer> {
    const { sha256 } = entry.attestation;
    const known = hashes ?? (await this.hashes(entry));
    try {
      yield* this.files.read(sha256, known, start, end);
    } catch (error) {
      throw await this.judged(error, sha256);
    }
  }

  async pin(url: string, pinned: boolean): Promise<number> {
    const entries = this.catalogue.all(url);
    this.lostPins.delete(url);
    for (const entry of entries) this.catalogue.replace({ ...entry, pinned });
    for (const { id } of entries) await this.note({ op: 'pin', attestation: id, pinned });
    return entries.length;
  }

  async purge(url: string): Promise<number> {
    const entries = this.catalogue.all(url);
    this.lostPins.delete(url);
    await this.drop(entries, 'purged');
    return entries.length;
  }

  /** Forgets everything that these nodes attested; the number of entries. */
  async dropSigners(names: ReadonlySet<string>): Promise<number> {
    const entries = [...this.catalogue.values()].filter(({ signer }) => names.has(signer));
    await this.drop(entries, 'revoked');
    return entries.length;
  }

  /** Forgets entries. None is found any more when this returns; their files go in its time. */
  async drop(entries: readonly Entry[], reason: GoneReason): Promise<void> {
    if (entries.length === 0) return;
    const left = entries.map((entry) => ({ entry, ...this.catalogue.remove(entry) }));
    const copies = entries.map(({ attestation: { url, variant, sha256 } }) => {
      return { url, variant, sha256 };
    });
    this.gone.tell({ reason, copies });
    for (const { entry, orphaned } of left) {
      const { sha256 } = entry.attestation;
      await this.note({ op: 'drop', attestation: entry.id });
      await this.files.removeAttestation(entry.id);
      if (!orphaned) continue;
      await this.turns.take(sha256, async () => {
        if (!this.catalogue.hasObject(sha256)) await this.files.remove(sha256);
      });
    }
    await this.compactIfWorthwhile();
  }

  async close(): Promise<void> {
    await this.compacting;
    await this.compact();
  }

  /** Drops the object if the error says that it is damaged; returns the error. */
  private async judged(error: unknown, sha256: string): Promise<unknown> {
    if (errorCode(error) !== 'E_OBJECT_CORRUPT') return error;
    this.logger.log('error', 'object-corrupt', { code: 'E_OBJECT_CORRUPT', sha256 });
    for (;;) {
      const entry = this.catalogue.findObject(sha256);
      if (entry === undefined) return error;
      if (entry.pinned) this.lostPins.set(entry.attestation.url, true);
      await this.drop([entry], 'corrupt');
    }
  }

  /**
   * Writes a change down. Where that fails (the disk is full) the change still holds: the files
   * are what counts at the next start.
   */
  private async note(record: JournalRecord): Promise<void> {
    await this.journal.append(record).catch((error: unknown) => this.notWritten(error));
  }

  private notWritten(error: unknown): void {
    this.logger.log('warn', 'store-index-not-written', { error });
  }

  private async putEntry({ bytes, attestation, signer }: SignedAttestation, rules: EntryRules) {
    const id = createHash('sha256').update(bytes).digest('hex');
    await this.files.keepAttestation(id, bytes);
    const lost = this.lostPins.delete(attestation.url);
    const { pinned = lost } = this.catalogue.find(attestation.url, attestation.variant) ?? {};
    const entry: Entry = { id, attestation, signer, ...rules, pinned };
    const replaced = this.catalogue.add(entry);
    const frame = bytes.toString('utf8');
    await this.note({ op: 'put', attestation: id, frame, signer, ...rules, pinned });
    return { entry, replaced };
  }

  /** Drops what an entry replaces or pushes out; never from within the object's own turn. */
  private async settle(put: { entry: Entry; replaced: readonly Entry[] }): Promise<Entry> {
    await this.drop(put.replaced, 'replaced');
    await this.evict();
    return put.entry;
  }

  private async evict(): Promise<void> {
    while (this.catalogue.storedBytes > this.quotaBytes) {
      const victim = this.catalogue.victim();
      if (victim === undefined) return;
      await this.drop([victim], 'evicted');
    }
  }

  private async load(): Promise<void> {
    const objects = await this.files.list('objects');
    const dropped = new Set<string>();
    for (const record of await this.journal.read()) {
      const known = this.catalogue.get(record.attestation);
      if (record.op === 'drop') dropped.add(record.attestation);
      else if (record.op === 'put') dropped.delete(record.attestation);
      if (record.op === 'put') {
        const attestation = readStoredAttestation(Buffer.from(record.frame));
        const { attestation: id, signer, immutable, shareable, pinned } = record;
        this.take(
          objects,
          attestation && { id, attestation, signer, immutable, shareable, pinned },
        );
      } else if (known !== undefined && record.op === 'drop') {
        this.catalogue.remove(known);
      } else if (known !== undefined && record.op === 'pin') {
        this.catalogue.replace({ ...known, pinned: record.pinned });
      }
    }
    await this.rebuild(objects, dropped);
    await this.sweep(objects);
    await this.journal.rewrite(() => this.snapshot());
  }

  /** Takes in the attestations on disk that the journal lost: its end, a damaged line, or all. */
  private async rebuild(objects: ReadonlySet<string>, dropped: ReadonlySet<string>): Promise<void> {
    const lost: Entry[] = [];
    for (const id of await this.files.list('attestations')) {
      if (this.catalogue.get(id) !== undefined || dropped.has(id)) continue;
      const bytes = await this.files.readAttestation(id).catch(() => Buffer.alloc(0));
      const whole = createHash('sha256').update(bytes).digest('hex') === id;
      const attestation = whole ? readStoredAttestation(bytes) : undefined;
      if (attestation === undefined) continue;
      const signer = storedSigner(bytes) ?? '';
      const rules = { immutable: false, shareable: attestation.tls, pinned: false };
      lost.push({ id, attestation, signer, ...rules });
    }
    const before = this.catalogue.size;
    for (const entry of lost.sort((a, b) => a.attestation.fetchedAt - b.attestation.fetchedAt)) {
      const { url, variant, fetchedAt } = entry.attestation;
      const known = this.catalogue.find(url, variant);
      if (known === undefined || known.attestation.fetchedAt <= fetchedAt)
        this.take(objects, entry);
    }
    const found = this.catalogue.size - before;
    if (found > 0) this.logger.log('warn', 'store-index-rebuilt', { entries: found });
  }

  private take(objects: ReadonlySet<string>, entry: Entry | undefined): void {
    if (entry === undefined || !objects.has(entry.attestation.sha256)) return;
    for (const old of this.catalogue.add(entry)) this.catalogue.remove(old);
  }

  /** Removes the files that no entry refers to: a kill in the middle of a commit left them. */
  private async sweep(objects: ReadonlySet<string>): Promise<void> {
    for (const sha256 of objects) {
      if (!this.catalogue.hasObject(sha256)) await this.files.remove(sha256);
    }
    await this.files.sweepPieces(objects);
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
    this.compacting = this.compact().finally(() => {
      this.compacting = undefined;
    });
    await this.compacting;
  }

  private async compact(): Promise<void> {
    await this.journal
      .rewrite(() => this.snapshot())
      .catch((error: unknown) => this.notWritten(error));
  }
}

/** The name in the certificate of a stored attestation. */
function storedSigner(bytes: Buffer): string | undefined {
  try {
    const certificate = parseElement(bytes.toString('utf8'))?.get('cert') ?? '';
    return commonName(new X509Certificate(Buffer.from(certificate, 'base64url')));
  } catch {
    return undefined;
  }
}
