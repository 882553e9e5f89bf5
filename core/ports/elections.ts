/**
 * The elections as the rest of the core sees them: the plugin host joins and listens, the request
 * path asks for the provider, the local interface shows the table. One scope is a *service*: a
 * plugin that elects its own provider, or the network-wide one (PROTOCOL §8.1).
 */
import type { ElectionState } from '@peerage/sdk';

/** The scope of all plugins that share one provider (`election: network` in the manifest). */
export { NETWORK_SERVICE } from '../protocol/elections.js';

export interface ElectionOptions {
  /** The levels that decide, the weightiest first; the usual ones if absent (§8.3). */
  readonly criteria?: readonly string[];
}

/** One node's standing in an election: its value at each level. */
export interface ElectionCandidate {
  readonly node: string;
  /** Level to value; larger is better. */
  readonly levels: Readonly<Record<string, number>>;
  /** 0 to 3; 0 is the best. */
  readonly class: number;
}

/** A change of the provider, and why. */
export interface ElectionChange {
  readonly atMs: number;
  readonly provider: string | undefined;
  readonly epoch: number;
  readonly reason: string;
}

/** An election as the admin sees it. */
export interface ElectionRow extends ElectionState {
  readonly service: string;
  /** The levels in the order in which they decide. */
  readonly criteria: readonly string[];
  /** Those whose packets were seen, the best first, this node among them. */
  readonly candidates: readonly ElectionCandidate[];
  /** The last changes, the latest first. */
  readonly changes: readonly ElectionChange[];
  readonly pinned: string | undefined;
  readonly excluded: readonly string[];
}

/** What ends a membership or a subscription. */
export interface Ending {
  dispose(): void;
}

export interface LanElections {
  /**
   * Takes part in the election of `service` until disposed of; several may join the same.
   * @throws CodedError `E_CRITERION_UNKNOWN`
   */
  join(service: string, options?: ElectionOptions): Ending;
  /** The current state; nobody and epoch 0 for a service that nobody here has joined. */
  state(service: string): ElectionState;
  onChange(service: string, listener: (state: ElectionState) => void): Ending;
  /** Gives the office back if this node has it, and does not stand again for a while. */
  resign(service: string): void;
  /** Holds an election now. */
  start(service: string): void;
  /** `node` wins wherever it stands; `undefined` undoes it. */
  pin(service: string, node: string | undefined): void;
  /** Whether `node` is out of the question. */
  exclude(service: string, node: string, excluded: boolean): void;
  table(): readonly ElectionRow[];
}
