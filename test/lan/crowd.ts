/**
 * Many hosts that ask for the same file at the same moment, and what came of it: shared by the
 * scenarios of crowds.
 */
import { setPriority } from 'node:os';
import { CrowdClient, spreadMs, type Taken } from './crowd-client.js';
import type { PeerageNode } from './node.js';
import type { OriginFile } from './origin-file.js';
import type { Place } from './place.js';
import { type Row, rounded } from './report.js';

/** Everybody has it by then, also one after another over the line. */
const DEADLINE_MS = 600_000;

/** The clients and this process, which measures, go before what is measured. */
const MEASURING_PRIORITY = -20;

/** All of them have begun within this time, in milliseconds. */
export const SPREAD_MAX_MS = 50;

export interface Crowd {
  readonly taken: readonly Taken[];
  /** From the word to begin until the last one had it. */
  readonly lastMs: number;
  /** Between the first request and the last. */
  readonly spreadMs: number;
  readonly longestStallMs: number;
  /** How many ended with exactly the bytes of the file. */
  readonly identical: number;
  readonly beganAt: number;
}

/** How a place's client asks for a file, as lines of curl's configuration. */
export type Way = (place: Place, index: number, file: OriginFile) => readonly string[];

/** From the origin itself. */
export const directly: Way = (_place, _index, file) => [`url = "${file.url}"`];

/**
 * Through the node on the client's own host, over its local socket and not through the proxy of a
 * plugin: what is measured is the core, and sixteen plugin processes would share two processors.
 */
export function throughNodes(nodes: readonly PeerageNode[]): Way {
  return (_place, index, { url, sha256 }) => {
    const node = nodes[index];
    if (node === undefined) throw new Error(`invariant broken: there is no node ${index}`);
    const query = `url=${encodeURIComponent(url)}&sha256=${sha256}`;
    return [
      `unix-socket = "${node.stateDirectory}/control.sock"`,
      `url = "http://node/get?${query}"`,
    ];
  };
}

/**
 * Lets all places take the file at once.
 * @param meanwhile called when they have begun, with the clients in the order of the places
 */
export async function crowdTakes(
  places: readonly Place[],
  file: OriginFile,
  way: Way,
  meanwhile?: (clients: readonly CrowdClient[]) => Promise<void>,
): Promise<Crowd> {
  setPriority(MEASURING_PRIORITY);
  try {
    const clients = await CrowdClient.ready(places, file.bytes);
    const lines = places.map((place, index) => way(place, index, file));
    const beganAt = performance.now();
    for (const [index, client] of clients.entries()) client.begin(...(lines[index] ?? []));
    await meanwhile?.(clients);
    const taken = await Promise.all(clients.map((client) => client.taken(DEADLINE_MS)));
    return summed(taken, beganAt);
  } finally {
    setPriority(0);
  }
}

function summed(taken: readonly Taken[], beganAt: number): Crowd {
  return {
    taken,
    beganAt,
    lastMs: Math.max(...taken.map(({ endedAt }) => endedAt)) - beganAt,
    spreadMs: spreadMs(taken),
    longestStallMs: Math.max(...taken.map(({ longestStallMs }) => longestStallMs)),
    identical: taken.filter(({ identical }) => identical).length,
  };
}

/** A line for each client. */
export function clientRows({ taken, beganAt }: Crowd): Row[] {
  return taken.map((client) => ({
    host: client.host,
    firstByteMs: client.firstByteAt === 0 ? '' : Math.round(client.firstByteAt - beganAt),
    endMs: Math.round(client.endedAt - beganAt),
    longestStallMs: Math.round(client.longestStallMs),
    identical: client.identical,
    source: client.failure === '' ? client.cacheStatus : client.failure,
  }));
}

/** What sums a crowd up, in the words of the reports. */
export function crowdRow(peer: string, crowd: Crowd, originBytes: number, file: OriginFile) {
  return {
    peer,
    originCopies: rounded(originBytes / file.sizeBytes),
    lastMs: Math.round(crowd.lastMs),
    longestStallMs: Math.round(crowd.longestStallMs),
    identical: crowd.identical,
    spreadMs: rounded(crowd.spreadMs),
  };
}
