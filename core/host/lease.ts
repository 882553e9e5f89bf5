/**
 * What the two ends of a lease say to each other. A lease is the answer to one request, which the
 * plugin's process may give to the same request again without asking: a hard link in its `in/`
 * folder, the hashes of the pieces, the head. The core ends it (`end`, acknowledged by
 * `leases.ended`) or lets it lapse: without a sign of life a lease is good for LEASE_TERM_MS.
 *
 * Both ends read the same clock, the machine's monotonic one, so the core knows that a lease has
 * lapsed even when the process is too busy to say so.
 */
import { hrtime } from 'node:process';

/** How often the core gives a sign of life to a process that holds leases. */
export const LEASE_SIGN_MS = 2000;
/** How long leases are good after one; two signs may be late or lost in a busy moment. */
export const LEASE_TERM_MS = 6000;
/** Leases of one plugin; the least recently granted goes first. */
export const LEASES_MAX = 4096;
/** Where in a plugin's data directory the links are. */
export const IN_DIRECTORY = 'in';

/** What the reply to `peering.open` says where the plugin may deliver by itself from now on. */
export interface LeaseGrant {
  readonly id: number;
  /** Name of the link in the plugin's `in/` folder. */
  readonly file: string;
  readonly hashes: Uint8Array;
  readonly freshUntilMs: number;
  readonly aliveUntilMs: number;
}

/** Events of the subscription `leases.hold`. */
export type LeaseEvent =
  | { readonly type: 'alive'; readonly untilMs: number }
  | { readonly type: 'end'; readonly ids: readonly number[]; readonly round: number };

/** Deliveries since the last report: lease, times, bytes. */
export type LeaseUse = readonly [id: number, times: number, bytes: number];

/** Milliseconds of the machine's monotonic clock, the same in every process. */
export function machineMs(): number {
  return Number(hrtime.bigint() / 1000n) / 1000;
}
