/**
 * Who else wants what we want (§5.3): the requesters of each URL that were heard lately, in the
 * one order that all of them agree on, hash(URL, node). Whoever is first in it goes to the Internet,
 * unless the provider of the service is among them, which has the first turn. Invariants: at most CROWDS_MAX URLs with CROWD_MAX requesters each; an entry counts for
 * CROWD_MEMORY_MS.
 */
import { BoundedMap } from '../base/bounded.js';
import type { InstantMs } from '../base/time.js';
import { CROWD_MAX, CROWD_MEMORY_MS, CROWDS_MAX } from './limits.js';
import { hashFraction, type Sha256 } from './timing.js';

export class Crowds {
  private readonly crowds = new BoundedMap<string, BoundedMap<string, Requester>>(CROWDS_MAX);
  private readonly sha256: Sha256;

  constructor(sha256: Sha256) {
    this.sha256 = sha256;
  }

  /** `kid`, which can reach the Internet, asked everybody for `href`. */
  heard(now: InstantMs, href: string, kid: string): void {
    let crowd = this.crowds.touch(href);
    if (crowd === undefined) {
      crowd = new BoundedMap<string, Requester>(CROWD_MAX);
      this.crowds.set(href, crowd);
    }
    const known = crowd.touch(kid);
    if (known === undefined) crowd.set(kid, { at: now, order: undefined });
    else known.at = now;
  }

  /** When somebody who can fetch `href` last asked for it; long ago if nobody did. */
  latest(href: string): InstantMs {
    let latest = Number.NEGATIVE_INFINITY;
    for (const [, { at }] of this.crowds.get(href) ?? []) latest = Math.max(latest, at);
    return latest;
  }

  /** A node's place in the order of a URL: smaller goes first. */
  order(href: string, kid: string): number {
    return hashFraction(this.sha256(`${href}|${kid}`));
  }

  /** How many recent requesters come before `kid`; `first`, the provider, comes before all. */
  rank(now: InstantMs, href: string, kid: string, first?: string): number {
    if (kid === first) return 0;
    const own = this.order(href, kid);
    let before = 0;
    for (const [other, requester] of this.crowds.get(href) ?? []) {
      if (now - requester.at > CROWD_MEMORY_MS || other === kid) continue;
      requester.order ??= this.order(href, other);
      if (other === first || requester.order < own) before += 1;
    }
    return before;
  }
}

interface Requester {
  at: InstantMs;
  /** Its place in the order, once it was needed. */
  order: number | undefined;
}
