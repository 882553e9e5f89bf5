/**
 * The store's index on disk: an append-only journal of JSON lines, each with its CRC. A kill at
 * any point loses at most the last line; a line that does not check is skipped; what is missing the
 * store rebuilds from the attestations beside the objects.
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
  /** Whether the last line may be incomplete. */
  private torn = false;

  constructor(path: string) {
    this.path = path;
  }

  /** All records that check, in order; none if there is no journal. */
  async read(): Promise<JournalRecord[]> {
    const text = await readFile(this.path, 'utf8').catch(() => '');
    const lines = text.split('\n').filter((entry) => entry !== '');
    const records = lines.map(parseLine).filter((record) => record !== undefined);
    this.lines = records.length;
    return records;
  }

  /** Appends a record; resolves when it was handed to the system. Calls are kept in order. */
  append(record: JournalRecord): Promise<void> {
    this.lines += 1;
    const next = this.queue.then(async () => {
      // What a full disk left of the line before must not spoil this one.
      const start = this.torn ? '\n' : '';
      this.torn = true;
      await appendFile(this.path, start + line(record), { mode: 0o600 });
      this.torn = false;
    });
    this.queue = next.catch(() => undefined);
    return next;
  }

  /**
   * Replaces the journal, atomically and synced.
   * @param snapshot is called when it is this call's turn, so that it sees all that was appended
   */
  rewrite(snapshot: () => Promise<readonly JournalRecord[]>): Promise<void> {
    const next = this.queue.then(async () => {
      const records = await snapshot();
      this.lines = records.length;
      const temporary = `${this.path}.new`;
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(records.map(line).join(''));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.path);
      this.torn = false;
    });
    this.queue = next.catch(() => undefined);
    return next;
  }

  /** Waits until everything appended so far was written (or failed). */
  flush(): Promise<void> {
    return this.queue;
  }
}
