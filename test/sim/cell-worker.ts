/** One piece of work of a table, in a thread of its own; see cells.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { type DiscoveryOptions, discovery } from './scenarios/discovery.js';
import { type FlightsOptions, flightRuns } from './scenarios/flights.js';

/** What a thread is asked to do. */
export type Work =
  | { readonly scenario: 'discovery'; readonly options: DiscoveryOptions }
  | { readonly scenario: 'flights'; readonly options: FlightsOptions };

const work = workerData as Work;
parentPort?.postMessage(
  work.scenario === 'discovery' ? discovery(work.options) : flightRuns(work.options),
);
