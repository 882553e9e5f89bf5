/** All that the page shows live, in one piece: made once a second while somebody looks. */
import type { StatusRow, StatusService } from '@peerage/sdk';
import type { Totals } from './history.js';

export interface Snapshot {
  readonly atMs: number;
  readonly status: Readonly<Record<string, unknown>>;
  readonly peers: readonly StatusRow[];
  readonly downloads: readonly StatusRow[];
  readonly elections: readonly StatusRow[];
  /** The last requests, the newest first. */
  readonly requests: readonly StatusRow[];
}

/** Requests shown live; the rest is asked for by URL. */
const REQUESTS_MAX = 20;

export async function snapshot(service: StatusService, atMs: number): Promise<Snapshot> {
  const [status, peers, downloads, elections, requests] = await Promise.all([
    service.status(),
    service.peers(),
    service.downloads(),
    service.look('elections'),
    service.look('why'),
  ]);
  return { atMs, status, peers, downloads, elections, requests: requests.slice(0, REQUESTS_MAX) };
}

/** Bytes in all, from the counters of the node's status. */
export function totalsOf(status: Readonly<Record<string, unknown>>): Totals {
  const { transfer } = status as {
    transfer?: { counters?: Readonly<Record<string, number | undefined>> };
  };
  const count = (name: string) => transfer?.counters?.[`bytes-from-${name}`] ?? 0;
  return { internetBytes: count('origin'), lanBytes: count('peers') + count('store') };
}
