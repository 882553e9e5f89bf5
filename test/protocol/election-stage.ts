/**
 * A stage for the elections of one heart: joins a service with a standing of its own, and speaks
 * for the other nodes. Node `x` is called `name-of-x` (see stage.ts).
 */
import { createHash } from 'node:crypto';
import type { PeerOptions } from '@peerage/core/protocol/context.js';
import type { Designation, Effect } from '@peerage/core/protocol/effect.js';
import type { Election } from '@peerage/core/protocol/election.js';
import { type Criterion, Judge, USUAL_CRITERIA } from '@peerage/core/protocol/election-criteria.js';
import type { Alive, ElectionClaim, ElectionResult } from '@peerage/core/protocol/message.js';
import { changed, hello, messages, Stage } from './stage.js';

export const SERVICE = 'feed';
export const NAME = 'name-of-me';

const sha256 = (text: string) => createHash('sha256').update(text).digest();
export const JUDGE = new Judge(SERVICE, USUAL_CRITERIA, sha256);

/** Standings in the order of the classes. */
export const FIRST = { internet: 1, bandwidth: 5 };
export const SECOND = { internet: 1 };
export const THIRD = { internet: 0 };
export const LAST = { weight: -1, internet: 1, bandwidth: 5 };

export function criteria(levels: Readonly<Record<string, number>>): Criterion[] {
  return JUDGE.criteria(levels);
}

export function claim(
  levels: Readonly<Record<string, number>>,
  more: Partial<ElectionClaim> = {},
): ElectionClaim {
  const said = criteria(levels);
  return { type: 'election', service: SERVICE, epoch: 0, criteria: said, open: false, ...more };
}

export function result(
  kid: string,
  levels: Readonly<Record<string, number>>,
  more: Partial<ElectionResult> = {},
): ElectionResult {
  return {
    type: 'result',
    service: SERVICE,
    provider: `name-of-${kid}`,
    epoch: 1,
    leaseMs: 1750,
    criteria: criteria(levels),
    settled: true,
    ...more,
  };
}

export function alive(more: Partial<Alive> = {}): Alive {
  return {
    type: 'alive',
    service: SERVICE,
    epoch: 1,
    ask: true,
    intervalMs: 100,
    to: 'me',
    ...more,
  };
}

export class ElectionStage extends Stage {
  constructor(options: Partial<PeerOptions> = {}, epoch = 0) {
    const epochs = new Map(epoch === 0 ? [] : [[SERVICE, epoch]]);
    const elections = { elections: { name: NAME, epochs } };
    super(changed<Partial<PeerOptions>>(elections, options));
  }

  /** Takes part, ten peers known, something being asked. */
  joined(levels: Readonly<Record<string, number>>): this {
    this.started('p', 'qq', 'rrr');
    this.hear('p', hello({ peers: 10 }));
    this.change((elections) => {
      elections.asked(this.now);
      elections.measured(this.now, levels);
      elections.join(this.now, SERVICE, USUAL_CRITERIA);
    });
    return this;
  }

  change(change: Parameters<Stage['peer']['elect']>[0]): Effect[] {
    return this.peer.elect(change);
  }

  /** Lets time pass until the provider is somebody, or the office is ours. */
  elected(levels: Readonly<Record<string, number>>): this {
    this.joined(levels);
    this.pass(500);
    return this;
  }

  get election(): Election {
    const election = this.peer.elections?.get(SERVICE);
    if (election === undefined) throw new Error('has not joined');
    return election;
  }

  get provider(): string | undefined {
    return this.election.designation?.provider;
  }

  counted(what: string): number {
    return this.peer.counters.get(`election-${what}`);
  }

  /** What was said in the time that passes, with the moments. */
  said<T extends 'election' | 'result' | 'standby' | 'alive'>(durationMs: number, type: T) {
    const from = this.now;
    return this.pass(durationMs).flatMap(({ at, effect }) =>
      messages([effect], type).map((message) => ({ afterMs: at - from, message })),
    );
  }
}

export function designations(effects: readonly Effect[]): Designation[] {
  return effects.flatMap((effect) => (effect.kind === 'designate' ? [effect.designation] : []));
}
