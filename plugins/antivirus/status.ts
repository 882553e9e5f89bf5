/**
 * What the node knows of its feeds, and of the LAN's: for `peerage antivirus status`.
 */
import type { CheckReport, ComponentState, RemoteStanding, Rules } from '@peerage/update-agent';
import { compareVersions } from '@peerage/update-agent';

export interface FeedView {
  readonly feed: string;
  readonly components: readonly ({ readonly component: string } & ComponentState)[];
  readonly reports: readonly CheckReport[];
  readonly standings: readonly RemoteStanding[];
}

export interface ComponentStatus {
  readonly feed: string;
  readonly component: string;
  readonly version: string | undefined;
  readonly previous: string | undefined;
  /** Since the publisher made it. */
  readonly ageHours: number | undefined;
  readonly rule: string | undefined;
  readonly files: readonly { readonly name: string; readonly source: string }[];
  readonly lastCheck: string | undefined;
  readonly outcome: string;
  readonly reason: string | undefined;
}

/** Of a feed as a whole: also of one that has brought nothing yet. */
export interface FeedStatus {
  readonly feed: string;
  readonly lastCheck: string | undefined;
  readonly outcome: string;
  /** Why the last check failed, or whom it waits for. */
  readonly reason: string | undefined;
}

export interface StatusReport {
  readonly feeds: readonly FeedStatus[];
  readonly components: readonly ComponentStatus[];
  readonly lan: readonly (RemoteStanding & { readonly isBehind: boolean })[];
  /** The last checks of each feed, the latest first. */
  readonly checks: readonly CheckReport[];
}

/** Puts together what is known. */
export function statusOf(views: readonly FeedView[], rules: Rules, nowMs: number): StatusReport {
  const components = views.flatMap((view) =>
    view.components.map((one) => componentStatus(view, one, rules, nowMs)),
  );
  const checks = views.flatMap(({ reports }) => reports);
  return { feeds: views.map(feedStatus), components, lan: views.flatMap(lanOf), checks };
}

/** A node that listens goes by what the provider tells, and says so while that is nothing. */
function waitOf(last: CheckReport | undefined): string | undefined {
  return last?.outcome === 'waiting' ? 'the provider has told nothing yet' : undefined;
}

function feedStatus({ feed, reports: [last] }: FeedView): FeedStatus {
  const failure = last?.failure;
  return {
    feed,
    lastCheck: last === undefined ? undefined : new Date(last.finishedAtMs).toISOString(),
    outcome: last?.outcome ?? 'never checked',
    reason: failure === undefined ? waitOf(last) : `${failure.code}: ${failure.message}`,
  };
}

function componentStatus(
  { feed, reports }: FeedView,
  state: FeedView['components'][number],
  rules: Rules,
  nowMs: number,
): ComponentStatus {
  const { component, version, previous, builtAtMs } = state;
  const [last] = reports;
  const bringing = reports
    .flatMap((report) => report.components)
    .find((one) => one.component === component && one.files.length > 0);
  const lately = last?.components.find((one) => one.component === component);
  const failure = lately?.failure ?? last?.failure;
  const ageMs = builtAtMs === undefined ? undefined : nowMs - builtAtMs;
  return {
    ...{ feed, component, version, previous, rule: ruleOf(rules, component) },
    ageHours: ageMs === undefined ? undefined : Math.round(ageMs / 360_000) / 10,
    files: (bringing?.files ?? []).map(({ name, source }) => ({ name, source })),
    lastCheck: last === undefined ? undefined : new Date(last.finishedAtMs).toISOString(),
    outcome: failure === undefined ? (lately?.decision ?? last?.outcome ?? 'never') : 'failed',
    reason: failure === undefined ? waitOf(last) : `${failure.code}: ${failure.message}`,
  };
}

function ruleOf({ pins, recalls }: Rules, component: string): string | undefined {
  const pin = pins[component];
  if (pin !== undefined) return `pinned to ${pin}`;
  const recalled = recalls.filter((one) => one.component === component);
  if (recalled.length === 0) return undefined;
  return recalled.map(({ version, backTo }) => `${version} recalled to ${backTo}`).join(', ');
}

/** Where the others stand; behind is who has less than the newest that anybody has. */
function lanOf({ components, standings }: FeedView) {
  return standings.map((standing) => {
    const all = [...standings, ...components].filter((one) => {
      return one.component === standing.component && one.version !== undefined;
    });
    const isBehind = all.some((one) => compareVersions(one.version ?? '', standing.version) > 0);
    return { ...standing, isBehind };
  });
}

/** The report for people. */
export function printedStatus({ feeds, components, lan }: StatusReport): string {
  const lines = components.map((one) => {
    const age = one.ageHours === undefined ? '' : `, ${one.ageHours} h old`;
    const files = one.files.map(({ name, source }) => `${name} from ${source}`).join(', ');
    const parts = [
      `${one.feed} ${one.component}: ${one.version ?? 'nothing'}${age}`,
      `checked ${one.lastCheck ?? 'never'}: ${one.outcome}`,
      ...[one.rule, files, one.reason].filter((part) => part !== undefined && part !== ''),
    ];
    return parts.join('; ');
  });
  const empty = feeds
    .filter(({ feed }) => components.every((one) => one.feed !== feed))
    .map(({ feed, lastCheck, outcome, reason }) => {
      const checked = lastCheck === undefined ? outcome : `checked ${lastCheck}: ${outcome}`;
      return [`${feed}: nothing yet`, checked, reason]
        .filter((part) => part !== undefined)
        .join('; ');
    });
  const others = lan.map(({ node, component, version, outcome, isBehind }) => {
    return `  ${node}: ${component} ${version}${isBehind ? ' (behind)' : ''}, ${outcome}`;
  });
  const none = 'no feed is set up: see "clamav" and "products" in the settings of antivirus';
  return [...(feeds.length === 0 ? [none] : [...lines, ...empty]), ...others].join('\n');
}
