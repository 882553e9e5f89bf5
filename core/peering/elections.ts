/**
 * The shell around the heart's elections: who takes part, what the machine's placement is, what
 * must survive a restart, who is told of a change. The heart decides; this performs.
 *
 * Invariants: no election is joined before the Internet access was tested once (or the test timed
 * out), so that a machine without it does not provide for a moment; epochs are saved whenever they
 * grow; a listener that throws disturbs nobody.
 */
import { CodedError, type ElectionState, type Provider } from '@peerage/sdk';
import type { Clock } from '../base/time.js';
import type {
  ElectionCandidate,
  ElectionChange,
  ElectionOptions,
  ElectionRow,
  Ending,
  LanElections,
} from '../ports/elections.js';
import type { Logger } from '../ports/log.js';
import type { PeerEndpoint } from '../ports/ports.js';
import type { Designation, ElectionEffect } from '../protocol/effect.js';
import type { Election } from '../protocol/election.js';
import {
  type Candidate,
  type ElectionRules,
  LEVELS,
  USUAL_CRITERIA,
  WEIGHT,
} from '../protocol/election-criteria.js';
import type { Elections } from '../protocol/elections.js';
import type { Placement } from './placement.js';
import type { SavedElections, SavedRules } from './saved-elections.js';

/** How often the machine is looked at, and its Internet access tested. */
const LOOK_MS = 5000;
const PROBE_MS = 60_000;
/** Changes remembered for each service. */
const CHANGES_MAX = 20;
/** Levels that a service may name. */
const CRITERIA_MAX = 12;
const NOBODY: ElectionState = {
  provider: undefined,
  backup: undefined,
  epoch: 0,
  sinceMs: 0,
  reason: 'not-joined',
};

export interface NetworkElectionsOptions {
  /** This node's name. */
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly placement: Placement;
  readonly saved: SavedElections;
  readonly save: (saved: SavedElections) => Promise<void>;
  /** What plugins.json says for all services. */
  readonly settings: { readonly pin: string; readonly exclude: readonly string[] };
  /** Does something with the heart's elections and performs what comes of it. */
  readonly elect: (change: (elections: Elections, nowMs: number) => void) => void;
  /** Holds a connection to the provider whose backup we are. */
  readonly attend: (service: string, provider: PeerEndpoint | undefined) => void;
  /** The pace of downloads from the Internet that go on now, bytes per second. */
  readonly paces: () => readonly number[];
}

interface Joined {
  members: number;
  readonly criteria: readonly string[];
  state: ElectionState;
  readonly changes: ElectionChange[];
}

export class NetworkElections implements LanElections {
  private readonly options: NetworkElectionsOptions;
  private readonly joined = new Map<string, Joined>();
  private readonly listeners = new Map<string, Set<(state: ElectionState) => void>>();
  private ready = false;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;
  private probedAt = 0;
  private saving: Promise<void> = Promise.resolve();

  constructor(options: NetworkElectionsOptions) {
    this.options = options;
  }

  /** Tests the Internet access, then joins what was asked for meanwhile. */
  async open(): Promise<void> {
    const { placement, clock, elect } = this.options;
    this.timer = setInterval(() => void this.look(), LOOK_MS);
    this.timer.unref();
    this.probedAt = clock.nowMs();
    await placement.probe();
    if (this.closed) return;
    this.ready = true;
    elect((elections, now) => elections.measured(now, placement.levels()));
    for (const [service, { criteria }] of this.joined) this.enter(service, criteria);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    await this.saving;
  }

  /** What the heart's elections want done. */
  perform(effect: ElectionEffect): void {
    if (effect.kind === 'attend') this.options.attend(effect.service, effect.provider);
    else if (effect.kind === 'designate') this.designated(effect.service, effect.designation);
    else {
      this.options.saved.epochs[effect.service] = effect.epoch;
      this.save();
    }
  }

  join(service: string, options: ElectionOptions = {}): Ending {
    const criteria = options.criteria ?? USUAL_CRITERIA;
    checkCriteria(service, criteria);
    const known = this.joined.get(service);
    const joined = known ?? { members: 0, criteria, state: NOBODY, changes: [] };
    joined.members += 1;
    this.joined.set(service, joined);
    if (known === undefined && this.ready) this.enter(service, criteria);
    let over = false;
    return {
      dispose: () => {
        if (over) return;
        over = true;
        joined.members -= 1;
        if (joined.members > 0) return;
        this.options.elect((elections, now) => elections.leave(now, service));
        this.joined.delete(service);
      },
    };
  }

  state(service: string): ElectionState {
    return this.joined.get(service)?.state ?? NOBODY;
  }

  onChange(service: string, listener: (state: ElectionState) => void): Ending {
    const own = this.listeners.get(service) ?? new Set();
    this.listeners.set(service, own.add(listener));
    return { dispose: () => void own.delete(listener) };
  }

  resign(service: string): void {
    this.options.elect((elections, now) => elections.get(service)?.resign(now));
  }

  start(service: string): void {
    this.options.elect((elections, now) => elections.get(service)?.call(now));
  }

  pin(service: string, node: string | undefined): void {
    const { excluded } = this.rulesOf(service);
    const others = excluded.filter((name) => name !== node);
    this.rule(service, node === undefined ? { excluded } : { pinned: node, excluded: others });
  }

  exclude(service: string, node: string, excluded: boolean): void {
    const { pinned, excluded: known } = this.rulesOf(service);
    const others = known.filter((name) => name !== node);
    const names = excluded ? [...others, node] : others;
    const pin = pinned === undefined || (excluded && pinned === node) ? {} : { pinned };
    this.rule(service, { ...pin, excluded: names });
  }

  table(): readonly ElectionRow[] {
    const rows: ElectionRow[] = [];
    this.options.elect((elections) => {
      for (const [service, election] of elections.entries()) {
        rows.push(this.row(service, election));
      }
    });
    return rows;
  }

  private row(service: string, election: Election): ElectionRow {
    const { seen, own, judge } = election.standings;
    const all = new Map<string, Candidate>([...seen]);
    all.set(own.name, own);
    const { pinned, excluded } = this.rulesOf(service);
    return {
      ...this.state(service),
      service,
      criteria: judge.names,
      candidates: [...all.values()]
        .sort((a, b) => judge.compare(a, b))
        .map((candidate) => candidateOf(candidate, judge.names)),
      changes: this.joined.get(service)?.changes ?? [],
      pinned,
      excluded,
    };
  }

  private enter(service: string, criteria: readonly string[]): void {
    const rules = this.effective(service);
    this.options.elect((elections, now) => {
      elections.ruled(now, service, rules);
      elections.join(now, service, criteria);
    });
  }

  private rule(service: string, rules: SavedRules): void {
    this.options.saved.rules[service] = rules;
    this.save();
    const effective = this.effective(service);
    this.options.elect((elections, now) => elections.ruled(now, service, effective));
  }

  private rulesOf(service: string): SavedRules {
    return this.options.saved.rules[service] ?? { excluded: [] };
  }

  /** The command wins over plugins.json. */
  private effective(service: string): ElectionRules {
    const { settings } = this.options;
    const { pinned, excluded } = this.rulesOf(service);
    const pin = pinned ?? settings.pin;
    const all = { excluded: new Set([...excluded, ...settings.exclude]) };
    return pin === '' ? all : { ...all, pinned: pin };
  }

  private designated(service: string, designation: Designation): void {
    const { name, clock, logger } = this.options;
    const { provider, backup, epoch, reason } = designation;
    const joined = this.joined.get(service);
    if (joined === undefined) return;
    const named = (node: string | undefined): Provider | undefined =>
      node === undefined ? undefined : { node, isSelf: node === name };
    const moved = joined.state.provider?.node !== provider;
    const sinceMs = moved ? clock.wallMs() : joined.state.sinceMs;
    joined.state = { provider: named(provider), backup: named(backup), epoch, sinceMs, reason };
    if (moved) {
      joined.changes.unshift({ atMs: sinceMs, provider, epoch, reason });
      joined.changes.length = Math.min(joined.changes.length, CHANGES_MAX);
      logger.log('info', 'provider', { service, provider: provider ?? '', epoch, reason });
    }
    for (const listener of [...(this.listeners.get(service) ?? [])]) {
      try {
        listener(joined.state);
      } catch (error) {
        logger.log('error', 'election-listener-failed', { service, error });
      }
    }
  }

  /** Looks at downloads, and now and then at the Internet access. */
  private async look(): Promise<void> {
    const { placement, clock, saved, elect, paces } = this.options;
    const before = placement.bytesPerSecond;
    for (const pace of paces()) placement.downloaded(pace);
    if (clock.nowMs() - this.probedAt >= PROBE_MS) {
      this.probedAt = clock.nowMs();
      await placement.probe();
    }
    if (!this.ready || this.closed) return;
    elect((elections, now) => elections.measured(now, placement.levels()));
    if (placement.bytesPerSecond === before) return;
    saved.bytesPerSecond = placement.bytesPerSecond;
    this.save();
  }

  private save(): void {
    const { saved, save, logger } = this.options;
    this.saving = this.saving
      .then(() => save(saved))
      .catch((error: unknown) => logger.log('error', 'elections-not-saved', { error }));
  }
}

function candidateOf({ name, values, class: rank }: Candidate, names: readonly string[]) {
  const levels = names.map((level, i) => [level, values[i] ?? 0] as const);
  const candidate: ElectionCandidate = {
    node: name,
    levels: Object.fromEntries(levels),
    class: rank,
  };
  return candidate;
}

function checkCriteria(service: string, criteria: readonly string[]): void {
  const known = Object.keys(LEVELS).filter((name) => name !== WEIGHT);
  const fault =
    criteria.find((name, i) => !known.includes(name) || criteria.indexOf(name) !== i) ??
    (criteria.length > CRITERIA_MAX ? `${criteria.length} levels` : undefined);
  if (fault === undefined) return;
  throw new CodedError('E_CRITERION_UNKNOWN', `the election of ${service} cannot go by ${fault}`, {
    expected: `each at most once: ${known.join(', ')}`,
  });
}
