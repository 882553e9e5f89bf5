/**
 * One file by its own transaction: from the LAN or the Internet to a staged file, held against
 * what its feed says about it while it arrives.
 *
 * Invariant: under its final name a staged file is complete and as long, and has the digest, that
 * the feed says; what the feed does not say is the feed's own `verify` to find out.
 */
import { createHash } from 'node:crypto';
import { CodedError, type PeeringService, type ResourceResponse } from '@peerage/sdk';
import type { Disk } from './disk.js';
import { MAX_FILE_BYTES, STALL_TIMEOUT_MS } from './limits.js';
import type { ReleaseFile } from './release.js';

/** What was retrieved, and from where. */
export interface Retrieved {
  readonly name: string;
  readonly url: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** `hit`, `peer`, `origin` and so on, as the peering service says; `staged` if it was here. */
  readonly source: string;
  readonly elapsedMs: number;
}

export interface RetrieveOptions {
  readonly peering: Pick<PeeringService, 'open'>;
  readonly disk: Disk;
  /** From the origin alone, and not shared: for what no digest vouches for yet. */
  readonly isUnshared?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly stallTimeoutMs?: number;
}

/** @throws CodedError `E_UPDATE_STATUS`, `E_UPDATE_PORTAL`, `E_UPDATE_SIZE`, `E_UPDATE_DIGEST`,
 *    `E_UPDATE_STALLED`, and whatever the peering service throws */
export async function retrieve(
  file: ReleaseFile,
  path: string,
  options: RetrieveOptions,
): Promise<Retrieved> {
  const { disk } = options;
  const startedAt = performance.now();
  const patience = new Patience(file, options);
  const part = `${path}.part`;
  try {
    const response = await patience.of(open(file, options, patience.signal));
    const taken = new Taken(file, response, patience);
    await disk.write(part, taken);
    const { sizeBytes, sha256 } = taken.judged();
    await disk.rename(part, path);
    const elapsedMs = Math.round(performance.now() - startedAt);
    const { name, url } = file;
    return { name, url, sizeBytes, sha256, source: response.source, elapsedMs };
  } catch (error) {
    await disk.remove(part).catch(() => undefined);
    throw patience.stalled ?? error;
  } finally {
    patience.dispose();
  }
}

function open(
  { url, sha256, isVersioned = false }: ReleaseFile,
  { peering, isUnshared }: RetrieveOptions,
  signal: AbortSignal,
): Promise<ResourceResponse> {
  const how = isUnshared ? { unshared: true } : { clientVerifies: true, immutable: isVersioned };
  if (sha256 === undefined) return peering.open({ url, policy: how, signal });
  const digest = { algorithm: 'sha256', hex: sha256 } as const;
  return peering.open({ url, policy: { ...how, digest, immutable: true }, signal });
}

/** The bytes of an answer on their way to the disk, counted and hashed. */
class Taken implements AsyncIterable<Uint8Array> {
  private readonly hash = createHash('sha256');
  private bytes = 0;
  private readonly file: ReleaseFile;
  private readonly response: ResourceResponse;
  private readonly patience: Patience;

  constructor(file: ReleaseFile, response: ResourceResponse, patience: Patience) {
    this.file = file;
    this.response = response;
    this.patience = patience;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const iterator = this.response.body[Symbol.asyncIterator]();
    try {
      this.judgeHead();
      const maxBytes = this.file.sizeBytes ?? this.file.sizeMaxBytes ?? MAX_FILE_BYTES;
      for (;;) {
        const { done, value } = await this.patience.of(iterator.next());
        if (done === true) return;
        this.bytes += value.length;
        if (this.bytes > maxBytes) throw this.wrongSize(`more than ${maxBytes} bytes`);
        this.hash.update(value);
        yield value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  judged(): { sizeBytes: number; sha256: string } {
    const { name, sizeBytes, sha256 } = this.file;
    const found = this.hash.digest('hex');
    if (sizeBytes !== undefined && sizeBytes !== this.bytes) {
      throw this.wrongSize(`${this.bytes} bytes`);
    }
    if (sha256 !== undefined && sha256 !== found) {
      throw new CodedError('E_UPDATE_DIGEST', `${name} is not what its feed describes`, {
        expected: `SHA-256 ${sha256}`,
        action: 'it was dropped; the next check asks again',
      });
    }
    return { sizeBytes: this.bytes, sha256: found };
  }

  private judgeHead(): void {
    const { status, headers } = this.response;
    if (status !== 200) {
      throw new CodedError('E_UPDATE_STATUS', `${this.file.url} was answered with ${status}`, {
        expected: 'status 200',
      });
    }
    const type = headers.find(([name]) => name === 'content-type')?.[1] ?? '';
    if (/^text\/html\b/i.test(type) && !this.file.name.endsWith('.html')) {
      throw new CodedError('E_UPDATE_PORTAL', `a web page came in place of ${this.file.name}`, {
        expected: 'the file itself',
        action: 'log in to the network if it has a portal; else correct the URL of the feed',
      });
    }
  }

  private wrongSize(found: string): CodedError {
    const { name, sizeBytes, sizeMaxBytes = MAX_FILE_BYTES } = this.file;
    return new CodedError('E_UPDATE_SIZE', `${name} has ${found}`, {
      expected: sizeBytes === undefined ? `at most ${sizeMaxBytes} bytes` : `${sizeBytes} bytes`,
      action: 'it was dropped; the next check asks again',
    });
  }
}

/** Ends a transaction in which nothing arrives any more, or that is no longer wanted. */
class Patience {
  stalled: CodedError | undefined;
  private readonly controller = new AbortController();
  private readonly file: ReleaseFile;
  private readonly timeoutMs: number;
  private readonly outer: AbortSignal | undefined;
  private readonly cancel = () => this.controller.abort();

  constructor(file: ReleaseFile, { stallTimeoutMs, signal }: RetrieveOptions) {
    this.file = file;
    this.timeoutMs = stallTimeoutMs ?? STALL_TIMEOUT_MS;
    this.outer = signal;
    if (signal?.aborted === true) this.cancel();
    signal?.addEventListener('abort', this.cancel, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** The outcome of `step`, unless it takes too long. */
  async of<T>(step: Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.stalled = new CodedError('E_UPDATE_STALLED', `${this.file.name} stopped arriving`, {
          expected: `a byte each ${this.timeoutMs / 1000} s`,
          action: 'the next check asks again',
        });
        this.controller.abort();
        reject(this.stalled);
      }, this.timeoutMs);
    });
    try {
      return await Promise.race([step, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  dispose(): void {
    this.outer?.removeEventListener('abort', this.cancel);
  }
}
