/** What the flows share: the parts of the plugin, and one request with its answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log, PeeringService, ResourceResponse } from '@peerage/sdk';
import type { HeaderPairs } from './headers.js';
import type { OwnAddresses } from './own-addresses.js';
import type { PolicyBook } from './policy.js';
import type { Refusals } from './refuse.js';

/** Made once when the plugin starts. */
export interface Services {
  readonly peering: PeeringService;
  readonly policies: PolicyBook;
  /** Our name in `Via`: of this run alone, so that a loop is not taken for a chain of proxies. */
  readonly pseudonym: string;
  readonly own: OwnAddresses;
  readonly refusals: Refusals;
  readonly log: Log;
}

/** One request for a URL, and its answer. */
export interface Exchange {
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Fires when the client is gone. */
  readonly signal: AbortSignal;
  /** Told of a whole answer that can be given again to a request like this. */
  readonly onWhole: (
    resource: ResourceResponse,
    headOf: (resource: ResourceResponse) => HeaderPairs,
  ) => void;
}
