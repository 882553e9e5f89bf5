/**
 * Failover: the provider dies at a random moment, silently (host) or with its connections closed
 * (process), or together with its backup. Time until somebody provides and until everybody alive
 * knows; and how often a backup takes over from a provider that lives (PROTOCOL §8.7).
 */
import { quantile, round } from '../statistics.js';
import { Ballot, SERVICE, type Voter } from './ballot.js';

export type Death = 'host' | 'process' | 'both' | 'resigns';

export interface FailoverOptions {
  readonly nodes: number;
  readonly loss: number;
  readonly death: Death;
  readonly seeds: number;
  readonly firstSeed: number;
}

export interface FailoverRow extends Omit<FailoverOptions, 'firstSeed'> {
  readonly providerP50Ms: number;
  readonly providerP99Ms: number;
  readonly toldP50Ms: number;
  readonly toldP99Ms: number;
  readonly toldMaxMs: number;
  readonly worstSeed: number;
  /** Living nodes that did not know the new provider after ten seconds. */
  readonly neverTold: number;
}

/** Everybody is there, a backup is named. */
const QUIET_LIFE_MS = 6000;
const PATIENCE_MS = 10_000;
/** A connection that its process leaves is seen to close after so long at most. */
const CLOSE_MS = 2;

function ballotOf(nodes: number, loss: number, seed: number): Ballot {
  const ballot = new Ballot({ nodes, loss, profile: 'adaptive', seed, standing: 'fine' });
  const { world } = ballot;
  for (const voter of ballot.voters) {
    world.at(world.random.fraction() * 50, () => ballot.boot(voter));
  }
  return ballot;
}

function runOnce({ nodes, loss, death }: FailoverOptions, seed: number) {
  const ballot = ballotOf(nodes, loss, seed);
  const { world } = ballot;
  world.run(QUIET_LIFE_MS + world.random.fraction() * 1000);
  ballot.ask();
  const [provider] = ballot.providers;
  const backupName = provider === undefined ? '' : backupOf(ballot, provider);
  const backup = ballot.voters.find(({ name }) => name === backupName);
  if (provider === undefined || backup === undefined)
    throw new Error(`seed ${seed}: no provider with a backup`);
  const from = world.now;
  let providerMs = Number.NaN;
  ballot.onChange = (voter) => {
    if (Number.isNaN(providerMs) && voter !== provider && ballot.providers.has(voter))
      providerMs = world.now - from;
  };
  kill(ballot, provider, backup, death);
  world.run(from + PATIENCE_MS, () => !Number.isNaN(providerMs) && ballot.agreed);
  const [next] = ballot.providers;
  const told = ballot.votes.get(next?.name ?? '') ?? 0;
  return { providerMs, toldMs: world.now - from, neverTold: ballot.living - told };
}

function kill(ballot: Ballot, provider: Voter, backup: Voter, death: Death): void {
  const { world } = ballot;
  const elect = (voter: Voter, what: 'resign' | 'connectionLost') => {
    const { peer } = voter.node;
    const effects = peer.elect((elections) => elections.get(SERVICE)?.[what](world.now));
    world.perform(voter.node, effects);
  };
  if (death === 'resigns') return elect(provider, 'resign');
  ballot.die(provider);
  if (death === 'both') ballot.die(backup);
  if (death !== 'process') return;
  world.at(world.now + world.random.fraction() * CLOSE_MS, () => elect(backup, 'connectionLost'));
}

function backupOf(ballot: Ballot, provider: Voter): string {
  return ballot.election(provider)?.designation?.backup ?? '';
}

/** Runs one cell of the table. */
export function failover(options: FailoverOptions): FailoverRow {
  const { firstSeed, ...cell } = options;
  const runs = Array.from({ length: options.seeds }, (_, i) => runOnce(options, firstSeed + i));
  const provider = runs.map(({ providerMs }) => providerMs);
  const told = runs.map(({ toldMs }) => toldMs);
  return {
    ...cell,
    providerP50Ms: round(quantile(provider, 0.5), 1),
    providerP99Ms: round(quantile(provider, 0.99), 1),
    toldP50Ms: round(quantile(told, 0.5), 1),
    toldP99Ms: round(quantile(told, 0.99), 1),
    toldMaxMs: round(Math.max(...told), 1),
    worstSeed: firstSeed + told.indexOf(Math.max(...told)),
    neverTold: runs.reduce((sum, { neverTold }) => sum + neverTold, 0),
  };
}

export interface FalseAlarmRow {
  readonly nodes: number;
  readonly loss: number;
  readonly hours: number;
  readonly takeOversPerHour: number;
  /** Changes of the provider for any reason, after the first election. */
  readonly changesPerHour: number;
  readonly agreedAtTheEnd: boolean;
  readonly seed: number;
}

/** Nobody dies for hours: every take-over is a false one. Covers the hourly re-check, too. */
export function falseAlarms(nodes: number, loss: number, hours: number, seed: number) {
  const ballot = ballotOf(nodes, loss, seed);
  const { world } = ballot;
  world.run(QUIET_LIFE_MS);
  let changes = 0;
  let provider = [...ballot.providers][0]?.name;
  ballot.onChange = (voter) => {
    if (!ballot.providers.has(voter) || voter.name === provider) return;
    provider = voter.name;
    changes += 1;
  };
  const endAt = hours * 3_600_000;
  for (let at = QUIET_LIFE_MS; at < endAt; at += 5000) world.at(at, () => ballot.ask());
  world.run(endAt);
  const row: FalseAlarmRow = {
    nodes,
    loss,
    hours,
    takeOversPerHour: round(ballot.counted('election-take-overs') / hours, 3),
    changesPerHour: round(changes / hours, 3),
    agreedAtTheEnd: ballot.agreed,
    seed,
  };
  return row;
}
