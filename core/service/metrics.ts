/**
 * The node's figures in the text format of Prometheus. Names carry their unit; what is counted by
 * kind is one metric with a label, made of the counters of the shells.
 */
import type { PeeringStatus, PluginStatus, TransferStatus } from '../ports/ports.js';
import type { VitalSigns } from './vitals.js';

/** What a scrape is made of. */
export interface Figures {
  readonly about: {
    readonly name: string;
    readonly group: string;
    readonly version: string;
    readonly certificateEnds: string;
  };
  readonly uptimeSeconds: number;
  readonly lan: PeeringStatus;
  readonly transfer: TransferStatus;
  readonly downloads: number;
  readonly uploads: Readonly<Record<string, number>>;
  readonly plugins: readonly PluginStatus[];
  readonly vitals: VitalSigns;
  readonly healthy: boolean;
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

const HELP: Readonly<Record<string, string>> = {
  info: 'Who this node is; always 1.',
  healthy: '1 if /health says so, else 0.',
  uptime_seconds: 'Time since the node started.',
  certificate_ends_timestamp_seconds: "When this node's certificate ends.",
  peers: 'Live nodes of the group, without this one.',
  peers_banned: 'Nodes that nothing is taken from, because they lied.',
  interfaces: 'LAN interfaces in use.',
  lan_round_trip_seconds: 'Measured round trip of a question on the LAN.',
  packets_total: 'Packets of the protocol, by direction and type.',
  packets_rejected_total: 'Packets that were not accepted, by reason.',
  packets_dropped_total: 'Packets that were not sent, for the socket was busy.',
  requests_total: 'Requests answered, by where the answer came from.',
  bytes_total: 'Bytes that requests took, by where they came from.',
  origin_asked_total: 'Requests that went to the Internet, by reason.',
  download_failures_total: 'Downloads that failed, by error code.',
  peer_faults_total: 'Sources on the LAN that did not do, by result.',
  served_total: 'What the object server did for other nodes, by kind.',
  downloads_in_progress: 'Downloads in progress.',
  store_objects: 'Objects in the store.',
  store_bytes: 'Bytes in the store.',
  store_quota_bytes: 'Most that the store may hold.',
  plugin_active: '1 for each plugin that is active, else 0.',
  plugin_restarts_total: 'Restarts of each plugin since the node started.',
  process_resident_bytes: 'Resident memory of the core.',
  process_heap_bytes: 'JavaScript heap of the core in use.',
  process_handles: 'Open sockets, timers, files and requests of the core.',
  event_loop_delay_seconds: 'How late the event loop was since the last scrape.',
};

/** The figures as Prometheus reads them. */
export function metricsText(figures: Figures): string {
  return [...nodeSamples(figures), ...lanSamples(figures), ...contentSamples(figures)]
    .filter(([, samples]) => samples.length > 0)
    .map(([name, samples]) => metric(name, samples))
    .join('');
}

type Metric = readonly [name: string, samples: readonly Sample[]];

function nodeSamples({ about, uptimeSeconds, plugins, vitals, healthy }: Figures): Metric[] {
  const { name: node, group, version, certificateEnds } = about;
  const { loopDelaySeconds } = vitals;
  const delays = Object.entries({ ...loopDelaySeconds });
  return [
    ['info', [[{ node, group, version }, 1]]],
    ['healthy', one(healthy ? 1 : 0)],
    ['uptime_seconds', one(uptimeSeconds)],
    ['certificate_ends_timestamp_seconds', one(Date.parse(certificateEnds) / 1000)],
    [
      'plugin_active',
      plugins.map(({ id: plugin, state }) => [{ plugin }, state === 'active' ? 1 : 0]),
    ],
    ['plugin_restarts_total', plugins.map(({ id: plugin, restarts }) => [{ plugin }, restarts])],
    ['process_resident_bytes', one(vitals.residentBytes)],
    ['process_heap_bytes', one(vitals.heapBytes)],
    ['process_handles', one(vitals.handles)],
    ['event_loop_delay_seconds', delays.map(([quantile, value]) => [{ quantile }, value])],
  ];
}

function lanSamples({ lan }: Figures): Metric[] {
  const { counters, peers, banned, interfaces, roundTripMs } = lan;
  const packets = (['received', 'sent'] as const).flatMap((direction) =>
    split(counters, `${direction}-`, 'type').map(([labels, value]): Sample => {
      return [{ direction, ...labels }, value];
    }),
  );
  return [
    ['peers', one(peers.length)],
    ['peers_banned', one(banned.length)],
    ['interfaces', one(interfaces.length)],
    ['lan_round_trip_seconds', one(roundTripMs / 1000)],
    ['packets_total', packets],
    ['packets_rejected_total', split(counters, 'rejected-', 'reason')],
    ['packets_dropped_total', one(counters['packets-dropped'] ?? 0)],
    ['origin_asked_total', split(counters, 'origin-', 'reason')],
  ];
}

function contentSamples({ transfer, downloads, uploads }: Figures): Metric[] {
  const { counters, objects, storedBytes, quotaBytes } = transfer;
  const bytes = ['origin', 'peers', 'store'].map((source): Sample => {
    return [{ source }, counters[`bytes-from-${source}`] ?? 0];
  });
  return [
    ['requests_total', split(counters, 'requests-', 'source')],
    ['bytes_total', bytes],
    ['download_failures_total', split(counters, 'failed-', 'code')],
    ['peer_faults_total', split(counters, 'peer-', 'result')],
    ['served_total', split(uploads, '', 'kind')],
    ['downloads_in_progress', one(downloads)],
    ['store_objects', one(objects)],
    ['store_bytes', one(storedBytes)],
    ['store_quota_bytes', one(quotaBytes)],
  ];
}

/** The counters whose names begin so, the rest of the name as a label. */
function split(
  counters: Readonly<Record<string, number>>,
  prefix: string,
  label: string,
): Sample[] {
  return Object.entries(counters)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]): Sample => [{ [label]: name.slice(prefix.length) }, value]);
}

const one = (value: number): Sample[] => [[{}, value]];

function metric(name: string, samples: readonly Sample[]): string {
  const full = `peerage_${name}`;
  const kind = name.endsWith('_total') ? 'counter' : 'gauge';
  const lines = samples.map(([labels, value]) => `${full}${labelText(labels)} ${value}\n`);
  return `# HELP ${full} ${HELP[name] ?? ''}\n# TYPE ${full} ${kind}\n${lines.join('')}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escaped = (text: string): string =>
  text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
