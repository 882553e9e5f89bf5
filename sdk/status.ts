/** `StatusService`: a look at this node, for plugins that were granted it (`permissions.status`). */
import { sharedToken } from './injection.js';

/** What `peerage status --json` prints; fields may be added. */
export type NodeStatus = Readonly<Record<string, unknown>>;

/** One line of `peerage peers --json` or `peerage downloads --json`; fields may be added. */
export type StatusRow = Readonly<Record<string, unknown>>;

/** What else there is to see. */
export type StatusView = 'cache' | 'why' | 'elections';

abstract class StatusServiceBase {
  /** The node's counters and settings in force. @throws CodedError `E_STATUS_NOT_GRANTED` */
  abstract status(): Promise<NodeStatus>;
  /** The live peers. @throws CodedError `E_STATUS_NOT_GRANTED` */
  abstract peers(): Promise<readonly StatusRow[]>;
  /** The downloads in progress. @throws CodedError `E_STATUS_NOT_GRANTED` */
  abstract downloads(): Promise<readonly StatusRow[]>;
  /**
   * The rest of what `peerage … --json` shows: the store with who fetched each object, why the
   * last requests were answered as they were (of one URL, or all), the elections with their log.
   * @throws CodedError `E_STATUS_NOT_GRANTED`
   */
  abstract look(view: StatusView, url?: string): Promise<readonly StatusRow[]>;
}

/** A look at this node; inject it by type. */
export const StatusService = sharedToken('StatusService', StatusServiceBase);
export type StatusService = StatusServiceBase;
