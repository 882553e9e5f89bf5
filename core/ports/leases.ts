/**
 * What the content shell lends: the answer to one request, good for the same request again until
 * it is no longer fresh or the copy goes. Whoever borrows delivers without asking; the lender says
 * what may be lent, `onObjectsGone` says when it is over.
 */
import type { ResourceRequest } from '@peerage/sdk';
import type { ObjectsGone } from './ports.js';

export interface Loan {
  readonly url: string;
  readonly variant: string;
  readonly sha256: string;
  readonly status: number;
  /** As they are delivered now; `age` grows by a second a second. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly sizeBytes: number;
  /** Wall-clock milliseconds until which the same request gets this answer. */
  readonly freshUntilMs: number;
  /** The object's file. */
  readonly path: string;
  /** SHA-256 of each of its pieces, checked against the chain that was attested. */
  readonly hashes: Buffer;
  /** Whether the copy is still there: to be asked in the turn in which the loan is written down. */
  isCurrent(): boolean;
  /** It was delivered this often since the last time, so many bytes in all. */
  used(times: number, bytes: number): void;
}

export interface Lender {
  /** What answers this request as long as nothing happens; `undefined` if a call has to. */
  lend(request: ResourceRequest): Promise<Loan | undefined>;
  onObjectsGone(listener: (gone: ObjectsGone) => void): { dispose(): void };
}
