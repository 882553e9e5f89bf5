/** The commands that only look: status, peers, downloads, plugins list, cache list. */
import type {
  CacheEntryStatus,
  DownloadStatus,
  PeeringStatus,
  PeerStatus,
  PluginStatus,
  TransferStatus,
} from '../ports/ports.js';
import type { AboutNode } from '../service/views.js';
import type { Warning } from '../service/warnings.js';
import { ask } from './client.js';
import type { CommandLine } from './options.js';
import { formatBytes, formatLeft, formatTable, sourceOf } from './print.js';

interface NodeStatus extends AboutNode {
  readonly uptimeSeconds: number;
  readonly warnings: readonly Warning[];
  readonly peers: number;
  readonly lan: Omit<PeeringStatus, 'peers'>;
  readonly transfer: TransferStatus;
  readonly plugins: readonly PluginStatus[];
}

const VIEWS: Readonly<Record<string, (value: unknown) => string>> = {
  status: (value) => describeStatus(value as NodeStatus),
  peers: (value) => describePeers(value as PeerStatus[]),
  downloads: (value) => describeDownloads(value as DownloadStatus[]),
  plugins: (value) => describePlugins(value as PluginStatus[]),
  cache: (value) => describeCache(value as CacheEntryStatus[]),
};

export async function look(line: CommandLine, view: string): Promise<number> {
  const value = await ask(line.stateDirectory, 'GET', `/${view}`);
  const describe = VIEWS[view];
  const text = line.json || describe === undefined ? JSON.stringify(value) : describe(value);
  process.stdout.write(`${text}\n`);
  return 0;
}

function describeStatus(status: NodeStatus): string {
  const { transfer, lan } = status;
  const count = (name: string) => transfer.counters[name] ?? 0;
  const active = status.plugins.filter(({ state }) => state === 'active').length;
  const served = count('bytes-from-store') + count('bytes-from-peers');
  return [
    `node      ${status.name} (${status.kid}), version ${status.version}, up ${status.uptimeSeconds} s`,
    `group     ${status.solo ? 'none: a group of one, nothing is sent on the LAN' : status.group}`,
    `peers     ${status.peers}, round trip ${lan.roundTripMs} ms, on ${lan.interfaces.join(', ') || 'no interface'}`,
    ...(lan.banned.length > 0 ? [`banned    ${lan.banned.join(', ')}`] : []),
    `store     ${transfer.objects} objects, ${formatBytes(transfer.storedBytes)} of ${formatBytes(transfer.quotaBytes)}`,
    `bytes     ${formatBytes(count('bytes-from-origin'))} from the Internet, ${formatBytes(count('bytes-from-peers'))} from peers, ${formatBytes(count('bytes-from-store'))} from the store`,
    `saved     ${formatBytes(served)} that the Internet line did not carry`,
    `plugins   ${active} active of ${status.plugins.length}`,
    ...status.warnings.map(({ message }) => `WARNING   ${message}`),
  ].join('\n');
}

function describePeers(peers: readonly PeerStatus[]): string {
  if (peers.length === 0) return 'no peers';
  const rows = peers.map(({ name, address, heardMsAgo, internet, roles }) => [
    name,
    address,
    `${(heardMsAgo / 1000).toFixed(1)} s ago`,
    internet ? 'yes' : 'no',
    roles,
  ]);
  return formatTable(['NAME', 'ADDRESS', 'HEARD', 'INTERNET', 'ROLES'], rows);
}

function describeDownloads(downloads: readonly DownloadStatus[]): string {
  if (downloads.length === 0) return 'no downloads in progress';
  const rows = downloads.map((download) => {
    const { receivedBytes, totalBytes } = download;
    const share =
      totalBytes === undefined || totalBytes === 0
        ? ''
        : `${Math.floor((receivedBytes / totalBytes) * 100)} %`;
    return [
      share,
      formatBytes(receivedBytes),
      `${formatBytes(download.bytesPerSecond)}/s`,
      formatLeft(download.leftMs),
      sourceOf(download),
      download.url,
    ];
  });
  return formatTable(['DONE', 'RECEIVED', 'RATE', 'LEFT', 'FROM', 'URL'], rows);
}

function describePlugins(plugins: readonly PluginStatus[]): string {
  if (plugins.length === 0) return 'no plugins';
  const rows = plugins.map(({ id, version, state, pid, restarts, lastError }) => [
    id,
    version,
    state,
    pid === undefined ? '' : String(pid),
    String(restarts),
    lastError ?? '',
  ]);
  return formatTable(['ID', 'VERSION', 'STATE', 'PROCESS', 'RESTARTS', 'LAST ERROR'], rows);
}

function describeCache(entries: readonly CacheEntryStatus[]): string {
  if (entries.length === 0) return 'the store is empty';
  const rows = entries.map(({ url, sizeBytes, fetchedAt, fetchedBy, pinned }) => [
    formatBytes(sizeBytes),
    fetchedAt,
    fetchedBy,
    pinned ? 'pinned' : '',
    url,
  ]);
  return formatTable(['SIZE', 'FETCHED', 'BY', '', 'URL'], rows);
}
