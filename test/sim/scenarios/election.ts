/**
 * Elections among N nodes: packets, time until everybody agrees, split brains and nodes that were
 * never told, in the form of the published table (PROTOCOL §8.5). Time begins with the first boot
 * (or with the call of the single initiator).
 */
import { mean, quantile, round } from '../statistics.js';
import { Ballot, type BallotOptions, SERVICE } from './ballot.js';

export type Boot = 'together' | 'single' | 'spread';

export interface ElectionOptions extends Omit<BallotOptions, 'seed'> {
  /** `together`: within 50 ms; `spread`: over 5 s; `single`: one calls an election among all. */
  readonly boot: Boot;
  readonly seeds: number;
  readonly firstSeed: number;
}

export interface ElectionRow extends Omit<ElectionOptions, 'firstSeed'> {
  readonly claimsMean: number;
  readonly resultsMean: number;
  /** Until somebody provides and until everybody alive agrees on one. */
  readonly providerP50Ms: number;
  readonly providerP99Ms: number;
  readonly agreedP50Ms: number;
  readonly agreedP99Ms: number;
  /** Runs with two providers one second after the last boot. */
  readonly splitAt1s: number;
  /** Nodes that did not know the provider at the end. */
  readonly neverTold: number;
  /** Share of runs that the best node by all levels won. */
  readonly bestWins: number;
  readonly bestClassWins: number;
  readonly worstSeed: number;
}

const SPREADS_MS: Readonly<Record<Boot, number>> = { together: 50, single: 50, spread: 5000 };
/** Classic nodes wait up to 2 s and are then open to objection for as long. */
const PATIENCE_MS = { adaptive: 2000, classic: 9000 };

interface Run {
  readonly claims: number;
  readonly results: number;
  readonly providerMs: number;
  readonly agreedMs: number;
  readonly split: boolean;
  readonly neverTold: number;
  readonly best: boolean;
  readonly bestClass: boolean;
}

function runOnce(options: ElectionOptions, seed: number): Run {
  const ballot = new Ballot({ ...options, seed });
  const { world } = ballot;
  const spreadMs = SPREADS_MS[options.boot];
  for (const voter of ballot.voters) {
    world.at(world.random.fraction() * spreadMs, () => ballot.boot(voter));
  }
  const patienceMs = PATIENCE_MS[options.profile];
  let startAt = 0;
  if (options.boot === 'single') {
    startAt = spreadMs + 2 * patienceMs + 3000;
    world.run(startAt);
    ballot.ask();
  }
  const claims = ballot.counted('election-claims-sent');
  const results = ballot.counted('election-results-sent');
  let providerMs = Number.NaN;
  let agreedMs = Number.NaN;
  ballot.onChange = () => {
    if (Number.isNaN(providerMs) && ballot.providers.size > 0) providerMs = world.now - startAt;
    if (!ballot.agreed || ballot.living < options.nodes) agreedMs = Number.NaN;
    else if (Number.isNaN(agreedMs)) agreedMs = world.now - startAt;
  };
  if (options.boot === 'single') {
    const caller = ballot.voters[world.random.uint32() % ballot.voters.length];
    providerMs = 0;
    agreedMs = 0;
    if (caller !== undefined) {
      const { peer } = caller.node;
      world.perform(
        caller.node,
        peer.elect((elections) => elections.get(SERVICE)?.call(world.now)),
      );
    }
  }
  const bootedAt = options.boot === 'single' ? startAt : spreadMs;
  world.run(bootedAt + 1000);
  const split = ballot.providers.size > 1;
  const claimsAfter = ballot.counted('election-claims-sent') - claims;
  const resultsAfter = ballot.counted('election-results-sent') - results;
  if (!ballot.agreed || options.profile === 'classic') world.run(bootedAt + patienceMs);
  return judge(ballot, options, {
    claims:
      options.profile === 'classic' ? ballot.counted('election-claims-sent') - claims : claimsAfter,
    results: resultsAfter,
    providerMs,
    agreedMs,
    split,
  });
}

function judge(
  ballot: Ballot,
  options: ElectionOptions,
  run: Omit<Run, 'neverTold' | 'best' | 'bestClass'>,
): Run {
  const [provider] = ballot.providers;
  const best = ballot.best();
  const own = provider === undefined ? undefined : ballot.election(provider)?.standings.own.class;
  const top = best === undefined ? undefined : ballot.election(best)?.standings.own.class;
  const told = ballot.votes.get(provider?.name ?? '') ?? 0;
  return {
    ...run,
    neverTold: options.nodes - told,
    best: provider === best,
    bestClass: own === top,
  };
}

/** Runs one cell of the table. */
export function election(options: ElectionOptions): ElectionRow {
  const { firstSeed, ...cell } = options;
  const runs = Array.from({ length: options.seeds }, (_, i) => runOnce(options, firstSeed + i));
  const agreed = runs.map(({ agreedMs }) => agreedMs).filter((ms) => !Number.isNaN(ms));
  const provided = runs.map(({ providerMs }) => providerMs);
  const worst = runs.reduce((at, run, i) => ((runs[at]?.agreedMs ?? 0) < run.agreedMs ? i : at), 0);
  const share = (holds: (run: Run) => boolean) => runs.filter(holds).length / runs.length;
  return {
    ...cell,
    claimsMean: round(mean(runs.map(({ claims }) => claims))),
    resultsMean: round(mean(runs.map(({ results }) => results))),
    providerP50Ms: round(quantile(provided, 0.5), 1),
    providerP99Ms: round(quantile(provided, 0.99), 1),
    agreedP50Ms: round(quantile(agreed, 0.5), 1),
    agreedP99Ms: round(quantile(agreed, 0.99), 1),
    splitAt1s: runs.filter(({ split }) => split).length,
    neverTold: runs.reduce((sum, { neverTold }) => sum + neverTold, 0),
    bestWins: round(
      share(({ best }) => best),
      4,
    ),
    bestClassWins: round(
      share(({ bestClass }) => bestClass),
      4,
    ),
    worstSeed: firstSeed + worst,
  };
}
