/**
 * The core's end of one plugin's leases (`lease` has the words between the two ends): grants them
 * with the reply to `peering.open`, ends them when copies go, and knows when an end is in force.
 *
 * Invariants: a lease that is in the book has its link in the plugin's `in/` folder; an end is in
 * force when the process has said so, is gone, or its leases have lapsed; no lease outlives the
 * process that holds it.
 */
import { link, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResourceRequest } from '@peerage/sdk';
import { BoundedMap } from '../../base/bounded.js';
import type { Lender, Loan } from '../../ports/leases.js';
import type { ObjectsGone } from '../../ports/ports.js';
import {
  IN_DIRECTORY,
  LEASE_SIGN_MS,
  LEASE_TERM_MS,
  LEASES_MAX,
  type LeaseEvent,
  type LeaseGrant,
  machineMs,
} from '../lease.js';
import type { Call, CallTable } from './call.js';

/** Who holds leases: the subscription of the plugin's process. */
type Holder = Pick<Call, 'emit' | 'signal'>;

export class PluginLeases {
  private readonly lender: Lender;
  private readonly directory: string;
  private readonly book = new BoundedMap<number, Loan>(LEASES_MAX);
  /** Ends that the process has not acknowledged yet. */
  private readonly rounds = new Map<number, () => void>();
  private readonly ends = new Set<Promise<void>>();
  private holder: Holder | undefined;
  private nextId = 1;
  private nextRound = 1;
  private aliveUntilMs = 0;

  constructor(lender: Lender, dataDirectory: string) {
    this.lender = lender;
    this.directory = join(dataDirectory, IN_DIRECTORY);
  }

  /** From now on the call's process holds leases; those of another one before it are over. */
  async hold(holder: Holder): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    if (holder.signal.aborted) return;
    this.holder = holder;
    const gone = this.lender.onObjectsGone((copies) => this.gone(copies));
    const sign = setInterval(() => this.giveSign(), LEASE_SIGN_MS);
    sign.unref();
    const over = () => {
      gone.dispose();
      clearInterval(sign);
      if (this.holder === holder) this.lose();
    };
    holder.signal.addEventListener('abort', over, { once: true });
  }

  /** A lease on the answer to this request, which was just given from the store. */
  async grant(request: ResourceRequest): Promise<LeaseGrant | undefined> {
    const { holder } = this;
    if (holder === undefined) return undefined;
    const loan = await this.lender.lend(request);
    if (loan === undefined || holder !== this.holder || !loan.isCurrent()) return undefined;
    const id = this.nextId;
    this.nextId += 1;
    const file = String(id);
    const displaced = [...this.book].slice(0, this.book.size < LEASES_MAX ? 0 : 1);
    this.end(displaced.map(([old]) => old));
    this.book.set(id, loan);
    try {
      await link(loan.path, join(this.directory, file));
    } catch {
      // Another file system, or the copy went: nothing is lost but the short way.
      this.book.delete(id);
      return undefined;
    }
    if (!this.book.has(id)) return undefined;
    this.aliveUntilMs = machineMs() + LEASE_TERM_MS;
    const { hashes, freshUntilMs } = loan;
    return { id, file, hashes, freshUntilMs, aliveUntilMs: this.aliveUntilMs };
  }

  /** The process delivers nothing more from the leases that this round ended. */
  ended(round: unknown): void {
    if (typeof round === 'number') this.rounds.get(round)?.();
  }

  /** What the process has delivered; only a hint at what is worth keeping. */
  used(uses: unknown): void {
    if (!Array.isArray(uses)) return;
    for (const use of uses.slice(0, LEASES_MAX)) {
      const [id, times, bytes] = Array.isArray(use) ? (use as unknown[]) : [];
      const loan = typeof id === 'number' ? this.book.touch(id) : undefined;
      if (isCount(times) && isCount(bytes)) loan?.used(times, bytes);
    }
  }

  /** The process found the link of this lease damaged. */
  broken(id: unknown): void {
    if (typeof id === 'number' && this.book.has(id)) this.end([id]);
  }

  /** Resolves when all ends up to now are in force. */
  async settled(): Promise<void> {
    await Promise.all(this.ends);
  }

  private gone({ copies }: ObjectsGone): void {
    const ids = [...this.book].filter(([, loan]) => {
      return copies.some(({ url, variant, sha256 }) => {
        return url === loan.url && variant === loan.variant && sha256 === loan.sha256;
      });
    });
    this.end(ids.map(([id]) => id));
  }

  private end(ids: readonly number[]): void {
    if (ids.length === 0) return;
    for (const id of ids) this.book.delete(id);
    const round = this.nextRound;
    this.nextRound += 1;
    const inForce = new Promise<void>((resolve) => {
      const lapsed = setTimeout(resolve, Math.max(0, this.aliveUntilMs - machineMs()));
      this.rounds.set(round, () => {
        clearTimeout(lapsed);
        resolve();
      });
    });
    const done = inForce.then(async () => {
      this.rounds.delete(round);
      await Promise.all(ids.map((id) => rm(join(this.directory, String(id)), { force: true })));
      this.ends.delete(done);
    });
    this.ends.add(done);
    this.tell({ type: 'end', ids, round });
  }

  private giveSign(): void {
    if (this.book.size === 0) return;
    this.aliveUntilMs = machineMs() + LEASE_TERM_MS;
    this.tell({ type: 'alive', untilMs: this.aliveUntilMs });
  }

  private tell(event: LeaseEvent): void {
    this.holder?.emit(event);
  }

  /** The process is gone, and with it all that it held. */
  private lose(): void {
    this.holder = undefined;
    this.book.clear();
    for (const acknowledge of [...this.rounds.values()]) acknowledge();
  }
}

export function leaseCalls(): CallTable {
  return {
    'leases.hold': (call) => call.caller.leases?.hold(call) ?? Promise.resolve(),
    'leases.ended': async ({ caller, argument }) => caller.leases?.ended(argument['round']),
    'leases.used': async ({ caller, argument }) => caller.leases?.used(argument['uses']),
    'leases.broken': async ({ caller, argument }) => caller.leases?.broken(argument['id']),
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
