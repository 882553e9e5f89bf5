/**
 * The store's index on disk: an append-only journal of JSON lines, each with its CRC. A kill at
 * any point loses at most the last line; a line that does not check is skipped; when the journal
 * as a whole is unusable the store rebuilds it from the attestations beside the objects.
 */
import { appendFile, open, readFile, rename } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/** One change of the index. */
export type JournalRecord =
  | {
      readonly op: 'put';
      /** SHA-256 of the attestation's bytes. */
      readonly attestation: string;
      /** The attestation itself. */
      readonly frame: string;
      /** Name of the node that signed it. */
      readonly signer: string;
      readonly immutable: boolean;
      readonly shareable: boolean;
      readonly pinned: boolean;
    }
  | { readonly op: 'drop'; readonly attestation: string }
  | { readonly op: 'pin'; readonly attestation: string; readonly pinned: boolean };

function line(record: JournalRecord): string {
  const json = JSON.stringify(record);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

function parseLine(text: string): JournalRecord | undefined {
  const json = text.slice(9);
  if (crc32(json).toString(16).padStart(8, '0') !== text.slice(0, 8)) return undefined;
  return JSON.parse(json) as JournalRecord;
}

export class Journal {
  private readonly path: string;
  private queue: Promise<void> = Promise.resolve();
  /** Lines since the last rewrite; tells when rewriting pays. */
  lines = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** All records that check, in order; `undefined` if there is no journal. */
  async read(): Promise<{ records: JournalRecord[]; damaged: number } | undefined> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch {
      return undefined;
    }
    const lines = text.split('\n').filter((entry) => entry !== '');
    const parsed = lines.map(parseLine);
    const records = parsed.filter((record) => record !== undefined);
    this.lines = records.length;
    return { records, damaged: parsed.length - records.length };
  }

  /** Appends a record; resolves when it was handed to the system. Calls are kept in order. */
  append(record: JournalRecord): Promise<void> {
    this.lines += 1;
    const next = this.queue.then(() => appendFile(this.path, line(record), { mode: 0o600 }));
    this.queue = next.catch(() => undefined);
    return next;
  }

  /** Replaces the journal by these records, atomically and synced. */
  rewrite(records: readonly JournalRecord[]): Promise<void> {
    this.lines = records.length;
    const next = this.queue.then(async () => {
      const temporary = `${this.path}.new`;
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(records.map(line).join(''));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.path);
    });
    this.queue = next.catch(() => undefined);
    return next;
  }

  /** Waits until everything appended so far was written (or failed). */
  flush(): Promise<void> {
    return this.queue;
  }
}
