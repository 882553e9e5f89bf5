/**
 * What to do about what is offered: the one place that decides which version a node goes to. Pure.
 *
 * In this order: a recalled version is left for the version to go back to, or, where there is no way
 * back, for a newer good one; a pin holds; an older
 * version than the newest ever seen is refused; a new one waits its turn unless this node is of
 * the canary share. Invariant: whatever is decided, the version in force stays until the other is
 * in force in its place.
 */
import type { Release } from './release.js';
import { compareVersions } from './version.js';

/** A version that turned out to be bad, and the one to go back to. */
export interface Recall {
  readonly component: string;
  /** The bad version; later ones are good. */
  readonly version: string;
  readonly backTo: string;
}

/** Some nodes take a version at once, the others later. */
export interface Canary {
  /** Share of the nodes that are first, 0 to 1. */
  readonly share: number;
  /** How long the others wait after they have heard of a version, in milliseconds. */
  readonly waitMs: number;
}

export interface Rules {
  /** Component to the one version that it shall have. */
  readonly pins: Readonly<Record<string, string>>;
  readonly recalls: readonly Recall[];
  readonly canary?: Canary;
}

/** What is known of one component on this node. */
export interface Standing {
  readonly component: string;
  /** The version in force; `undefined` if there is none. */
  readonly installed: string | undefined;
  /** Verified versions that are on this node, the installed one included. */
  readonly kept: readonly string[];
  /** The newest version that was ever verified here. */
  readonly newest: string | undefined;
  /** When the offered version was first heard of, milliseconds since 1970. */
  readonly heardAtMs: number | undefined;
  /** Where this node stands in the canary order of the offered version, 0 to below 1. */
  readonly turn: number;
}

export type Decision =
  /** Retrieve the files of the release and put it in force. */
  | { readonly kind: 'update'; readonly component: string; readonly release: Release }
  /** Put a version in force that is on this node already. */
  | {
      readonly kind: 'back';
      readonly component: string;
      readonly version: string;
      readonly reason: 'recalled' | 'pinned';
    }
  | {
      readonly kind: 'stay';
      readonly component: string;
      readonly reason: StayReason;
      /** When it may be different, milliseconds since 1970. */
      readonly untilMs?: number;
    };

export type StayReason =
  | 'current'
  | 'pinned'
  | 'recalled'
  | 'canary'
  /** The feed offers less than was verified before: rolled back, or a mirror that lags. */
  | 'older-offered'
  | 'nothing-offered'
  /** The version to go back to is neither here nor offered. */
  | 'no-way-back';

/** Decides for one component. */
export function decide(
  standing: Standing,
  offered: Release | undefined,
  rules: Rules,
  nowMs: number,
): Decision {
  const { component, installed } = standing;
  const pin = rules.pins[component];
  const back = wayBack(rules.recalls, component, installed);
  if (pin !== undefined) return reach(standing, pin, offered, 'pinned');
  if (back !== undefined) {
    const way = reach(standing, back, offered, 'recalled');
    if (way.kind !== 'stay' || way.reason !== 'no-way-back' || !isBetter(offered, standing, rules))
      return way;
  }
  if (offered === undefined) return { kind: 'stay', component, reason: 'nothing-offered' };
  if (isRecalled(rules.recalls, offered)) return { kind: 'stay', component, reason: 'recalled' };
  const newest = newestOf(standing.newest, installed, rules.recalls, component);
  if (newest !== undefined && compareVersions(offered.version, newest) < 0) {
    return { kind: 'stay', component, reason: 'older-offered' };
  }
  if (installed !== undefined && compareVersions(offered.version, installed) === 0) {
    return { kind: 'stay', component, reason: 'current' };
  }
  const untilMs = turnAt(standing, rules.canary, nowMs);
  if (installed !== undefined && untilMs > nowMs) {
    return { kind: 'stay', component, reason: 'canary', untilMs };
  }
  return { kind: 'update', component, release: offered };
}

/** Whether what is offered leads forward from a bad version: newer than it and not recalled. */
function isBetter(
  offered: Release | undefined,
  { installed }: Standing,
  { recalls }: Rules,
): boolean {
  if (offered === undefined || isRecalled(recalls, offered)) return false;
  return installed !== undefined && compareVersions(offered.version, installed) > 0;
}

/** Where a recall of the installed version leads, through recalls of recalls. */
function wayBack(
  recalls: readonly Recall[],
  component: string,
  installed: string | undefined,
): string | undefined {
  let version = installed;
  for (let steps = 0; steps <= recalls.length && version !== undefined; steps += 1) {
    const from = version;
    const found = recalls.find((one) => one.component === component && one.version === from);
    if (found === undefined) return version === installed ? undefined : version;
    version = found.backTo;
  }
  return undefined;
}

/** Whether the version that is offered is a bad one. */
export function isRecalled(recalls: readonly Recall[], { component, version }: Release): boolean {
  return recalls.some((one) => one.component === component && one.version === version);
}

/** The newest version verified here that was not recalled: the floor below which nothing counts. */
function newestOf(
  newest: string | undefined,
  installed: string | undefined,
  recalls: readonly Recall[],
  component: string,
): string | undefined {
  if (newest === undefined) return installed;
  const bad = recalls.some((one) => one.component === component && one.version === newest);
  return bad ? installed : newest;
}

/** The way to exactly this version. */
function reach(
  standing: Standing,
  version: string,
  offered: Release | undefined,
  reason: 'recalled' | 'pinned',
): Decision {
  const { component, installed, kept } = standing;
  if (installed === version) return { kind: 'stay', component, reason };
  if (kept.includes(version)) return { kind: 'back', component, version, reason };
  if (offered?.version === version) return { kind: 'update', component, release: offered };
  return { kind: 'stay', component, reason: 'no-way-back' };
}

function turnAt({ turn, heardAtMs }: Standing, canary: Canary | undefined, nowMs: number): number {
  if (canary === undefined || turn < canary.share) return nowMs;
  return (heardAtMs ?? nowMs) + canary.waitMs;
}
