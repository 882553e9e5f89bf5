/** `ElectionService`: who is the designated provider of the plugin's service (PROTOCOL §8). */
import { sharedToken } from './injection.js';
import type { Disposable } from './lifecycle.js';

/** A node that was designated. */
export interface Provider {
  /** Its name. */
  readonly node: string;
  readonly isSelf: boolean;
}

/** What this node knows of the election. */
export interface ElectionState {
  /** `undefined` while nobody is elected. */
  readonly provider: Provider | undefined;
  /** Who takes over when the provider is lost. */
  readonly backup: Provider | undefined;
  /** Grows with every election; a newer one overrules. */
  readonly epoch: number;
  /** Since when it is so: wall clock, milliseconds since 1970. */
  readonly sinceMs: number;
  /** Why, in words of the protocol, for example `first`, `provider-lost`, `pinned`. */
  readonly reason: string;
}

abstract class ElectionServiceBase {
  /**
   * The current provider of this plugin's service; `undefined` while nobody is elected.
   * @throws CodedError `E_ELECTION_NONE` if the manifest's election is `none`
   */
  abstract provider(): Promise<Provider | undefined>;

  /** All that is known. @throws CodedError `E_ELECTION_NONE` */
  abstract state(): Promise<ElectionState>;

  /**
   * Told of every change, and once of the state as it is now.
   * @throws CodedError `E_ELECTION_NONE`
   */
  abstract onChange(listener: (state: ElectionState) => void): Promise<Disposable>;

  /** Gives the office away, if this node has it. @throws CodedError `E_ELECTION_NONE` */
  abstract resign(): Promise<void>;
}

/** Who is the designated provider; inject it by type. */
export const ElectionService = sharedToken('ElectionService', ElectionServiceBase);
export type ElectionService = ElectionServiceBase;
