/** One cell of the table of discovery, in a thread of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { type DiscoveryOptions, discovery } from './scenarios/discovery.js';

parentPort?.postMessage(discovery(workerData as DiscoveryOptions));
