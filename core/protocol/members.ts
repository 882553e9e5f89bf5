/**
 * Who is there: a bounded table of the peers that were heard lately, and the opening count (§2.6,
 * §4.3). Invariants: at most MEMBERS_MAX entries; an entry dies after three beacon intervals of
 * silence; `counted` becomes true once and stays so.
 */
import { BoundedMap } from '../base/bounded.js';
import type { InstantMs } from '../base/time.js';
import {
  BEACON_INTERVAL_MIN_MS,
  BEACON_LIVE_INTERVALS,
  BEACON_PER_PEER_MS,
  MEMBERS_MAX,
  PEERS_ASSUMED,
} from './limits.js';
import type { Hello, Sender } from './message.js';

export interface Member extends Sender {
  /** Renewed by every packet, in place: this is the hottest line of a busy LAN. */
  heardAt: InstantMs;
  /** Whether it was waited for in vain and has answered nothing since (§4.2). */
  isSilent: boolean;
  readonly internet: boolean;
  readonly client: boolean;
  readonly server: boolean;
  /** Whether it has answered a directed packet of ours, so that it knows our certificate. */
  readonly acquainted: boolean;
}

const KNOWN = { isNew: false } as const;

export class Members {
  private readonly table = new BoundedMap<string, Member>(MEMBERS_MAX);
  /** The kid under which each name was heard last. */
  private readonly kids = new BoundedMap<string, string>(MEMBERS_MAX);
  private reported = 0;
  counted = false;

  /** Any verified packet proves that its sender is alive. */
  heard(now: InstantMs, from: Sender, hello?: Hello): { readonly isNew: boolean } {
    const known = this.table.get(from.kid);
    const moved =
      known?.boot !== from.boot || known.address !== from.address || known.port !== from.port;
    if (known !== undefined && !moved && hello === undefined) {
      known.heardAt = now;
      return KNOWN;
    }
    this.forgetEarlierKey(from);
    const { kid, name, boot, address, port } = from;
    this.table.set(kid, {
      kid,
      name,
      boot,
      address,
      port,
      heardAt: now,
      isSilent: known?.isSilent ?? false,
      internet: hello?.internet ?? known?.internet ?? false,
      client: hello?.client ?? known?.client ?? true,
      server: hello?.server ?? known?.server ?? true,
      acquainted: known?.acquainted ?? false,
    });
    if (hello !== undefined) this.reported = Math.max(this.reported, hello.peers);
    return { isNew: known === undefined || known.boot !== from.boot };
  }

  acquainted(kid: string): void {
    const member = this.table.get(kid);
    if (member !== undefined) this.table.set(kid, { ...member, acquainted: true });
  }

  get(kid: string): Member | undefined {
    return this.table.get(kid);
  }

  remove(kid: string): void {
    this.table.delete(kid);
  }

  /** Drops those that were silent for three beacon intervals. */
  expire(now: InstantMs): void {
    const silenceMs = BEACON_LIVE_INTERVALS * this.beaconIntervalMs();
    for (const member of this.table.values()) {
      if (now - member.heardAt > silenceMs) this.table.delete(member.kid);
    }
    this.reported = this.table.size;
  }

  get size(): number {
    return this.table.size;
  }

  /** n of the formulas: 256 before the count, then the live peers, or more if peers know more. */
  get peers(): number {
    if (!this.counted) return PEERS_ASSUMED;
    return Math.max(1, this.table.size, this.reported);
  }

  beaconIntervalMs(): number {
    return Math.max(
      BEACON_INTERVAL_MIN_MS,
      BEACON_PER_PEER_MS * Math.max(this.table.size, this.reported),
    );
  }

  values(): IterableIterator<Member> {
    return this.table.values();
  }

  /** A renewed certificate has another kid under the same name: the old entry is the same node. */
  private forgetEarlierKey({ kid, name }: Sender): void {
    const earlier = this.kids.get(name);
    if (earlier === kid) return;
    if (earlier !== undefined) this.table.delete(earlier);
    this.kids.set(name, kid);
  }
}
