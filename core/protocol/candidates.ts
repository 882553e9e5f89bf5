/**
 * Whom a search asks by name before it asks everybody (§4.2): the provider of the service, then
 * holders by hint, ordered by hash so that load spreads. And who of them has not answered: a directed
 * request is always answered, so a silent candidate is gone, or late.
 *
 * Invariants: at most CANDIDATES_MAX are asked; whoever was waited for in vain is not waited for again
 * before it answered in time or with something, so a dead or slow node costs one wait.
 */
import type { InstantMs } from '../base/time.js';
import type { Context } from './context.js';
import { CANDIDATES_MAX } from './limits.js';
import type { Member } from './members.js';
import type { Want } from './search.js';
import { holderKey } from './timing.js';

export class Candidates {
  /** Whether one of them said that it has nothing. */
  explicitNone = false;
  private readonly context: Context;
  private readonly waiting: string[];
  private readonly silent = new Set<string>();
  private current: string | undefined;

  constructor(context: Context, now: InstantMs, id: number, want: Want) {
    this.context = context;
    this.waiting = order(context, now, id, want);
  }

  /** The next one to be asked; `undefined` when all were. */
  next(): Member | undefined {
    for (;;) {
      this.current = this.waiting.shift();
      if (this.current === undefined) return undefined;
      const member = this.context.members.get(this.current);
      if (member === undefined) continue;
      this.silent.add(member.kid);
      return member;
    }
  }

  /** Whether it is this one's turn to answer. */
  isAsked(kid: string): boolean {
    return this.current === kid;
  }

  /** It said something; `worthIt`: in time, or something that was worth the wait. */
  answered(kid: string, worthIt: boolean): void {
    const asked = this.silent.delete(kid);
    const member = this.context.members.get(kid);
    if (member !== undefined && (asked || worthIt)) member.isSilent = !worthIt;
  }

  /** Those whose answer may be late. */
  late(): Member[] {
    return [...this.silent]
      .map((kid) => this.context.members.get(kid))
      .filter((member) => member !== undefined)
      .filter(({ isSilent }) => !isSilent);
  }

  /** They were waited for in vain. */
  givenUp(): void {
    for (const kid of this.silent) {
      const member = this.context.members.get(kid);
      if (member !== undefined) member.isSilent = true;
    }
    this.silent.clear();
  }
}

function order(context: Context, now: InstantMs, id: number, want: Want): string[] {
  const { kid, boot, sha256 } = context.options;
  const { hints, members, bans } = context;
  const provider = context.provider(want.service) ?? '';
  const rank = (holder: string) => {
    if (holder === provider) return '';
    const hash = sha256(holderKey(kid, boot, id, holder));
    return String.fromCharCode(...hash.subarray(0, 8));
  };
  return [...new Set([provider, ...hints.get(want.href)])]
    .filter((holder) => members.get(holder)?.server === true)
    .filter((holder) => !bans.holds(members.get(holder)?.name ?? '', now))
    .map((holder) => ({ holder, rank: rank(holder) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .slice(0, CANDIDATES_MAX)
    .map(({ holder }) => holder);
}
