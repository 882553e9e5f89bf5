/** The status: for each source its version, age and last outcome; for the set what is in force. */

import type { CommandPorts } from './commands.js';
import type { KeptOut } from './compile.js';
import { reasonOf, type Source } from './sources.js';

export interface SourceStatus {
  readonly source: string;
  readonly url: string;
  readonly version: string | undefined;
  readonly entries: number | undefined;
  /** Nobody signs it: what it says is as true as whoever serves the URL is honest. */
  readonly authenticated: boolean;
  readonly sinceMs: number | undefined;
  readonly checkedAtMs: number | undefined;
  readonly outcome: string;
  /** Why the last check failed, with source and line. */
  readonly reason: string | undefined;
  readonly pinned: boolean;
  readonly attribution: readonly string[];
}

export interface FirewallStatus {
  /** The version of the whole set; `undefined` if nothing is in force. */
  readonly version: string | undefined;
  readonly entries: number;
  /** Why the set could not be put in force, or looked after, the last time. */
  readonly trouble: string | undefined;
  readonly droppedPackets: number | undefined;
  readonly provider: string | undefined;
  readonly sources: readonly SourceStatus[];
  readonly keptOut: readonly KeptOut[];
  readonly keptOutCount: number;
  readonly allowed: readonly string[];
}

export async function statusOf(ports: CommandPorts): Promise<FirewallStatus> {
  const { enforcer, wishes } = ports;
  const { inForce } = enforcer;
  return {
    version: inForce?.version,
    entries: inForce?.prefixes.length ?? 0,
    trouble: enforcer.lastTrouble,
    droppedPackets: await ports.dropped().catch(() => undefined),
    provider: await ports.provider().catch(() => undefined),
    sources: ports.sources.map((source) => sourceStatus(source, ports)),
    keptOut: inForce?.keptOut ?? [],
    keptOutCount: inForce?.keptOutCount ?? 0,
    allowed: wishes.allowed,
  };
}

function sourceStatus(source: Source, { enforcer, wishes }: CommandPorts): SourceStatus {
  const { settings, shelf, agent, list } = source;
  const { version, sinceMs } = shelf.state(settings.name);
  const [report] = agent.reports;
  return {
    source: settings.name,
    url: settings.url,
    version,
    entries: enforcer.list(settings.name)?.entries.length,
    authenticated: settings.minisignKey !== undefined,
    sinceMs,
    checkedAtMs: report?.finishedAtMs,
    outcome: report?.outcome ?? 'not checked yet',
    reason: reasonOf(report),
    pinned: wishes.pins[settings.name] !== undefined,
    attribution: list?.attribution ?? [],
  };
}

export function statusText(status: FirewallStatus): string {
  const { version, entries, droppedPackets, provider, keptOut, keptOutCount } = status;
  const dropped = droppedPackets === undefined ? '' : `, ${droppedPackets} packets dropped`;
  const more = keptOutCount - keptOut.length;
  return [
    version === undefined
      ? 'nothing is in force'
      : `in force: ${entries} entries (${version})${dropped}`,
    ...(status.trouble === undefined ? [] : [`  ${status.trouble}`]),
    `provider: ${provider ?? 'none, each node asks for itself'}`,
    ...status.sources.flatMap(sourceLines),
    ...keptOut.map(
      ({ entry, source, line, guard }) => `kept out: ${entry} (${source}, line ${line}): ${guard}`,
    ),
    ...(more > 0 ? [`kept out: ${more} more`] : []),
  ].join('\n');
}

function sourceLines(status: SourceStatus): string[] {
  const { source, version, entries, outcome, reason, pinned, authenticated } = status;
  const words = [
    version ?? 'no version',
    ...(entries === undefined ? [] : [`${entries} entries`]),
    ...(authenticated ? [] : ['unauthenticated']),
    ...(pinned ? ['rolled back'] : []),
    outcome,
  ];
  return [`${source}: ${words.join(', ')}`, ...(reason === undefined ? [] : [`  ${reason}`])];
}
