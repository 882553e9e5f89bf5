/**
 * All elections of a node: one per service that it takes part in (PROTOCOL §8.1), with what they
 * share: our measured standing, the admin's rules, and whether anything was asked lately.
 */
import type { InstantMs } from '../base/time.js';
import type { Context, ElectionSetup } from './context.js';
import { Election } from './election.js';
import { type ElectionRules, Judge, NO_RULES } from './election-criteria.js';
import { ELECTION_ACTIVE_MS, ELECTIONS_MAX } from './limits.js';
import type { ElectionMessage, Sender } from './message.js';

/** The scope of all plugins that share one provider. */
export const NETWORK_SERVICE = 'network';

export class Elections {
  private readonly elections = new Map<string, Election>();
  private readonly rules = new Map<string, ElectionRules>();
  private readonly context: Context;
  private readonly setup: ElectionSetup;
  private levels: Readonly<Record<string, number>> = {};
  private askedAt: InstantMs = Number.NEGATIVE_INFINITY;

  constructor(context: Context, setup: ElectionSetup) {
    this.context = context;
    this.setup = setup;
  }

  /** Takes part in the election of a service; false if there are too many. */
  join(now: InstantMs, service: string, criteria: readonly string[]): boolean {
    if (this.elections.has(service)) return true;
    if (this.elections.size >= ELECTIONS_MAX) return false;
    const { context } = this;
    const { name, epochs } = this.setup;
    const judge = new Judge(service, criteria, context.options.sha256);
    const active = (at: InstantMs) => at - this.askedAt < ELECTION_ACTIVE_MS;
    const scope = { context, service, name, judge, active };
    const election = new Election(scope, this.levels, epochs.get(service) ?? 0);
    this.elections.set(service, election);
    election.ruled(now, this.rules.get(service) ?? NO_RULES);
    if (context.options.peering) election.start(now);
    else election.alone(now);
    return true;
  }

  /** Takes part no more: an office is given back first. */
  leave(now: InstantMs, service: string): void {
    this.elections.get(service)?.resign(now);
    this.elections.delete(service);
  }

  /** The node stops: what it provides is given back, so that no lease has to run out. */
  stop(now: InstantMs): void {
    for (const service of [...this.elections.keys()]) this.leave(now, service);
  }

  get(service: string): Election | undefined {
    return this.elections.get(service);
  }

  /** The kid of the provider that others than itself go to: of the service, or of the network. */
  provider(service: string): string | undefined {
    const kid = this.designated(service);
    return kid === this.context.options.kid ? undefined : kid;
  }

  /** The kid of the provider, which may be this node. */
  designated(service: string): string | undefined {
    const election = this.elections.get(service) ?? this.elections.get(NETWORK_SERVICE);
    const { provider, kid } = election?.designation ?? {};
    // Our own kid changes with every renewal, our name does not.
    return provider === this.setup.name ? this.context.options.kid : kid;
  }

  entries(): IterableIterator<[string, Election]> {
    return this.elections.entries();
  }

  get wakeAt(): InstantMs | undefined {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { wakeAt } of this.elections.values()) earliest = Math.min(earliest, wakeAt);
    return earliest === Number.POSITIVE_INFINITY ? undefined : earliest;
  }

  wake(now: InstantMs): void {
    for (const election of this.elections.values()) {
      if (now >= election.wakeAt) election.wake(now);
    }
  }

  receive(now: InstantMs, from: Sender, message: ElectionMessage): void {
    if ('to' in message && message.to !== this.context.options.kid) return;
    const election = this.elections.get(message.service);
    if (election === undefined) return this.context.counters.add('election-not-joined');
    switch (message.type) {
      case 'election':
        return election.heardClaim(now, from, message);
      case 'result':
        return election.heardResult(now, from, message);
      case 'standby':
        return election.heardStandby(now, from, message);
      case 'alive':
        return election.heardAlive(now, from, message);
    }
  }

  /** Somebody on the LAN asks for something: the quick pace for a while (§8.7). */
  asked(now: InstantMs): void {
    const wasIdle = now - this.askedAt >= ELECTION_ACTIVE_MS;
    this.askedAt = now;
    if (!wasIdle) return;
    for (const election of this.elections.values()) election.hurry(now);
  }

  /** A node said bye, or is no member any more. */
  left(now: InstantMs, name: string): void {
    for (const election of this.elections.values()) election.left(now, name);
  }

  /** Our own probes have these values now, by level. */
  measured(now: InstantMs, levels: Readonly<Record<string, number>>): void {
    const changed = Object.entries(levels).some(([name, value]) => this.levels[name] !== value);
    if (!changed) return;
    this.levels = levels;
    for (const election of this.elections.values()) election.measured(now, levels);
  }

  /** The admin's pins and exclusions for a service. */
  ruled(now: InstantMs, service: string, rules: ElectionRules): void {
    this.rules.set(service, rules);
    this.elections.get(service)?.ruled(now, rules);
  }
}
