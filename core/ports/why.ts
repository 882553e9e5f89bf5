/**
 * Why a request was answered as it was: the record that is kept of each, as the admin sees it, and
 * the contract by which the shell of the packets tells the one of the content what it heard.
 */
import type { ResourceSource } from '@peerage/sdk';
import type { OriginReason } from '../protocol/effect.js';
import type { RetrievalResult } from '../protocol/retrieval.js';

/** What a peer said to a search. */
export interface LanAnswer {
  readonly node: string;
  readonly answer: 'has-it' | 'none' | 'downloading' | 'gave-up';
  /** Since it was asked, in milliseconds. */
  readonly afterMs: number;
}

/** Is told what happens to one search. */
export interface SearchWitness {
  /** Peers were asked: the one named, or all of them. */
  asked(node: string | 'everybody'): void;
  answered(node: string, answer: LanAnswer['answer']): void;
}

/** One source that was tried for the bytes. */
export interface TriedSource {
  readonly kind: 'peer' | 'flight' | 'origin';
  /** The peer's name, or the origin's host. */
  readonly from: string;
  /** `undefined` while it goes on. */
  readonly result: RetrievalResult | 'yielded' | 'error' | undefined;
  /** Why the source did not do, in words. */
  readonly why: string | undefined;
}

/** Who first fetched the bytes from the Internet, and signed for it. */
export interface Provenance {
  readonly fetchedBy: string;
  readonly fetchedAt: string;
  /** Whose downloads it continued, first to last. */
  readonly continued: readonly string[];
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface WhyRecord {
  readonly id: number;
  readonly url: string;
  /** The plugin that asked, or `cli`. */
  readonly service: string;
  readonly askedAt: string;
  /** How it was answered; `undefined` while nobody has answered yet. */
  readonly source: ResourceSource | 'failed' | undefined;
  /** Until the head was there, in milliseconds. */
  readonly answeredMs: number | undefined;
  /** Until all bytes of its download were there, in milliseconds. */
  readonly completeMs: number | undefined;
  /** The earlier request whose download this one shared. */
  readonly joined: number | undefined;
  readonly asked: readonly string[];
  readonly answers: readonly LanAnswer[];
  readonly tried: readonly TriedSource[];
  /** Why the Internet was used, if it was. */
  readonly internet: OriginReason | undefined;
  readonly bytes: readonly { readonly from: string; readonly sizeBytes: number }[];
  readonly provenance: Provenance | undefined;
  readonly error: { readonly code: string; readonly message: string } | undefined;
}
