/**
 * Origins that asked to be left alone (429, Retry-After), learnt by this node or heard from members
 * (PROTOCOL §5.6). Pure: the time is passed in.
 *
 * Invariants: a member's word holds a host back for HEARD_MAX_MS at most, and then counts for
 * nothing for as long again, so that no member can block a host for good; each has few hosts; our
 * own experience is bounded too.
 */
import { BoundedMap } from '../base/bounded.js';
import type { InstantMs } from '../base/time.js';

/** An origin's own word, at most: an hour. */
export const OWN_MAX_MS = 3_600_000;
/** A member's word, at most: ten minutes; then somebody may try again. */
export const HEARD_MAX_MS = 600_000;
/** Where the origin did not say how long. */
export const UNSAID_MS = 60_000;
const HOSTS_MAX = 256;
const MEMBERS_MAX = 256;
const HOSTS_PER_MEMBER_MAX = 8;

interface Word {
  readonly until: InstantMs;
  /** Before this the same member's word about the same host counts for nothing. */
  readonly deafUntil: InstantMs;
}

export class OriginWaits {
  private readonly own = new BoundedMap<string, InstantMs>(HOSTS_MAX);
  private readonly heard = new BoundedMap<string, BoundedMap<string, Word>>(MEMBERS_MAX);

  /** The origin itself said so. */
  learn(host: string, waitMs: number, now: InstantMs): void {
    this.own.set(host, now + Math.min(waitMs, OWN_MAX_MS));
  }

  /** A member says that it learnt this. @returns whether it counts */
  hear(member: string, host: string, waitMs: number, now: InstantMs): boolean {
    const words = this.heard.touch(member) ?? new BoundedMap<string, Word>(HOSTS_PER_MEMBER_MAX);
    const known = words.get(host);
    if (known !== undefined && now < known.deafUntil) return false;
    // A full list is not made room in: forgetting a word would let it be said again.
    const room = [...words].filter(([, { deafUntil }]) => now < deafUntil).length;
    if (known === undefined && room >= HOSTS_PER_MEMBER_MAX) return false;
    const heldMs = Math.min(waitMs, HEARD_MAX_MS);
    words.set(host, { until: now + heldMs, deafUntil: now + 2 * heldMs });
    this.heard.set(member, words);
    return true;
  }

  /** How long the host is still to be left alone, in milliseconds. */
  leftMs(host: string, now: InstantMs): number {
    let until = this.own.get(host) ?? now;
    for (const [, words] of this.heard) until = Math.max(until, words.get(host)?.until ?? now);
    return Math.max(0, until - now);
  }
}

/** How long an answer asks for patience; `undefined` if it does not (RFC 9110 §10.2.3, RFC 6585). */
export function patienceMs(
  status: number,
  retryAfter: string | undefined,
  wallMs: number,
): number | undefined {
  if (status !== 429 && (status !== 503 || retryAfter === undefined)) return undefined;
  if (retryAfter !== undefined && /^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1000;
  const at = Date.parse(retryAfter ?? '');
  return Number.isNaN(at) ? UNSAID_MS : Math.max(0, at - wallMs);
}
