/**
 * One download in progress, from whatever source, with any number of followers. The writing end
 * hashes what passes; the head is known before the first byte; the outcome after the last.
 *
 * Invariants: bytes are appended in order and once; `complete` is called only when the length and
 * every digest known in advance fit, otherwise followers get an error, never a clean end. Where the
 * length is known the last bytes are held back until then: an HTTP client that counts bytes would
 * take the body for complete.
 */
import { createHash, type Hash } from 'node:crypto';
import { CodedError, type KnownDigest } from '@peerage/sdk';
import { assert } from '../base/assert.js';
import type { InstantMs } from '../base/time.js';
import { PieceHasher } from '../trust/pieces.js';
import type { Entry } from './catalogue.js';
import type { Headers } from './freshness.js';
import type { Incoming } from './object-files.js';
import { Spool } from './spool.js';
import { FlightTrack } from './track.js';
import type { Trail } from './why.js';

/** What followers learn before the bytes. */
export interface FlightHead {
  readonly status: number;
  readonly headers: Headers;
  /** `Set-Cookie` of an answer that is for one client alone. */
  readonly cookies?: readonly string[];
  readonly source: 'peer' | 'origin' | 'revalidated' | 'stale';
  readonly sizeBytes: number | undefined;
  readonly sha256: string | undefined;
  /** Set when the bytes are in the store already (revalidated, or stale). */
  readonly entry?: Entry;
  /** Where the bytes begin, if only the later part of the resource comes; 0 by default. */
  readonly firstByte?: number;
}

export interface FlightOptions {
  readonly service: string;
  readonly url: string;
  readonly key: string;
  readonly variant: string;
  readonly digest: KnownDigest | undefined;
  readonly startedAt: InstantMs;
  /** Where followers on other nodes find it (PROTOCOL §6.3). */
  readonly path: string;
  /** Whether others, here or on other nodes, may be shown it at all. */
  readonly joinable: boolean;
  /** What is written down of it, for `peerage why`. */
  readonly trail: Trail;
}

export class Flight {
  readonly options: FlightOptions;
  readonly head: Promise<FlightHead>;
  readonly hasher = new PieceHasher();
  /** What followers on other nodes are shown. */
  readonly track = new FlightTrack();
  spool = new Spool(undefined);
  incoming: Incoming | undefined;
  headSent = false;
  /** Only the later part of the resource comes: nobody may join, nothing is stored. */
  solo = false;
  /** What comes may be given to others too; said with the head. */
  shared = true;
  from = '';
  /** The digest of the bytes that are on their way, once a peer has offered them. */
  expectedSha256: string | undefined;
  source: 'peer' | 'origin' = 'origin';
  /** Bytes that are to come in all, if known. */
  totalBytes: number | undefined;
  private readonly known: Hash | undefined;
  private announcedSha256: string | undefined;
  private verified: { readonly sha256: string; readonly hashes: Buffer } | undefined;
  private resolveHead: (head: FlightHead) => void = () => undefined;
  private rejectHead: (error: unknown) => void = () => undefined;

  constructor(options: FlightOptions) {
    this.options = options;
    const algorithm = options.digest?.algorithm ?? 'sha256';
    // The SHA-256 of everything is computed in any case.
    this.known = algorithm === 'sha256' ? undefined : createHash(algorithm);
    this.head = new Promise((resolve, reject) => {
      this.resolveHead = resolve;
      this.rejectHead = reject;
    });
    // Followers may come later than the failure; it is theirs to handle.
    this.head.catch(() => undefined);
  }

  /** Announces the head; with a file, bytes will be kept, without one they only pass through. */
  begin(head: FlightHead, incoming: Incoming | undefined): void {
    assert(!this.headSent, 'a flight has one head');
    this.incoming = incoming;
    const { firstByte = 0, sizeBytes } = head;
    this.spool = new Spool(incoming?.file, firstByte, incoming?.limitBytes);
    this.announcedSha256 = head.sha256;
    this.totalBytes = sizeBytes === undefined ? undefined : sizeBytes - firstByte;
    this.headSent = true;
    this.resolveHead(head);
  }

  get receivedBytes(): number {
    return this.hasher.sizeBytes;
  }

  /**
   * @param hash if the chunk is a whole piece that was verified: its hash
   * @throws CodedError `E_DIGEST_MISMATCH` before the last bytes are passed on, `E_CANCELLED`
   */
  async append(chunk: Buffer, hash?: Buffer): Promise<void> {
    this.hasher.update(chunk, hash);
    this.options.trail.came(this.from, chunk.length);
    this.known?.update(chunk);
    if (this.totalBytes !== undefined && this.receivedBytes >= this.totalBytes) this.verify();
    await this.spool.append(chunk);
  }

  /** What came, if it is what was to come. @throws CodedError `E_DIGEST_MISMATCH`, `E_BODY_TRUNCATED` */
  verify(): { readonly sha256: string; readonly hashes: Buffer } {
    this.verified ??= this.check();
    return this.verified;
  }

  /** Whether a second request may follow from this byte on. */
  mayJoin(startByte: number): boolean {
    return this.shared && !this.solo && !this.spool.deserted && this.spool.holds(startByte);
  }

  private check(): { readonly sha256: string; readonly hashes: Buffer } {
    const { digest, url } = this.options;
    if (this.totalBytes !== undefined && this.receivedBytes !== this.totalBytes) {
      throw new CodedError('E_BODY_TRUNCATED', `${url}: ${this.receivedBytes} bytes came`, {
        expected: `${this.totalBytes} bytes`,
      });
    }
    const { sha256, hashes } = this.hasher.digest();
    const found = this.known?.digest('hex') ?? sha256;
    if (!this.solo && digest !== undefined && found !== digest.hex) {
      throw mismatch(url, digest.algorithm, found, digest.hex);
    }
    if (this.announcedSha256 !== undefined && sha256 !== this.announcedSha256) {
      throw mismatch(url, 'sha256', sha256, this.announcedSha256);
    }
    return { sha256, hashes };
  }

  /** Every byte is there. */
  complete(): void {
    this.spool.end();
  }

  fail(error: unknown): void {
    this.options.trail.failed(error);
    this.rejectHead(error);
    this.spool.fail(error);
    this.track.close('failed');
  }
}

export function mismatch(
  url: string,
  algorithm: string,
  found: string,
  expected: string,
): CodedError {
  return new CodedError('E_DIGEST_MISMATCH', `${url} has ${algorithm} ${found}`, {
    expected: `${algorithm} ${expected}`,
    action: 'the source is wrong or tampered with; nothing was kept',
  });
}
