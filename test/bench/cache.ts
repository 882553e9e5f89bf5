/**
 * `bench -- cache`: fresh local hits of the url-cache beside nginx's proxy_cache and squid, in one
 * run on one host, and a sibling's hit beside a direct fetch over the line.
 *
 * Rounds go through the caches in turn, so that whatever else the machine does hits all alike;
 * figures are medians. Processor time is counted too, since it does not depend on who else runs.
 */
import { Group } from '../lan/group.js';
import { Lan } from '../lan/lan.js';
import type { PeerageNode } from '../lan/node.js';
import { missingForOrigin, OriginService } from '../lan/origin-service.js';
import type { Place } from '../lan/place.js';
import { atLeast, equal, type Report, type Row, rounded } from '../lan/report.js';
import { missingTools } from '../lan/tools.js';
import { quantile } from '../sim/statistics.js';
import type { Bench, BenchOptions } from './bench.js';
import { fetchOnce, hammer } from './load.js';
import { cpuSeconds, familyOf } from './processes.js';
import { type Cache, startNginx, startSquid } from './rivals.js';

/** A fast office line, so that filling the caches does not take for ever. */
const LINE_RATE_KBIT = 1_000_000;
const GIB = 1024 ** 3;
const SMALL_BYTES = 1024;

interface Sizes {
  readonly largeBytes: number;
  /** What the sibling fetches. */
  readonly mediumBytes: number;
  readonly rounds: number;
  readonly hammerSeconds: number;
}

const FULL: Sizes = { largeBytes: GIB, mediumBytes: 100e6, rounds: 3, hammerSeconds: 3 };
const TINY: Sizes = { largeBytes: 4e6, mediumBytes: 1e6, rounds: 1, hammerSeconds: 1 };
/** Before the rounds: programs that are compiled as they run need it, and leases are taken. */
const WARM_SECONDS = 3;

interface Measured {
  readonly cache: Cache;
  /** The first hit: ours checks every piece by SHA-256 then. */
  firstHit: number;
  readonly rates: number[];
  readonly cpuPerGib: number[];
  readonly requests: number[];
  readonly cpuPerRequest: number[];
  errors: number;
}

export const cache: Bench = {
  name: 'cache',
  summary: 'fresh local hits beside nginx and squid; a sibling beside a direct fetch',
  missing: () => missingForOrigin() ?? missingTools(['nginx', 'squid', 'wrk']),
  run,
};

async function run({ tiny, say }: BenchOptions): Promise<Report> {
  const sizes = tiny ? TINY : FULL;
  const lan = Lan.create({ hosts: 2, internetRateKbit: LINE_RATE_KBIT });
  let group: Group | undefined;
  const caches: Cache[] = [];
  try {
    const origin = await OriginService.start(lan.origin);
    group = Group.on(lan.hosts, () => ({
      urlCache: { rules: [{ match: `${origin.url}/*`, clientVerifies: true }] },
    }));
    say('starting two nodes, nginx and squid');
    await group.start();
    const [host, sibling] = [lan.host(1), lan.host(2)];
    caches.push(await startNginx(host), await startSquid(host), await ours(group.node(1)));
    const large = `${origin.url}/bytes/${sizes.largeBytes}/large?cache=max-age%3D86400`;
    const small = `${origin.url}/bytes/${SMALL_BYTES}/small?cache=max-age%3D86400`;
    const measured = caches.map((each) => empty(each));
    const medium = `${origin.url}/bytes/${sizes.mediumBytes}/medium?cache=max-age%3D86400`;
    await fill(host, measured, [large, small, medium], say);
    for (const each of measured) await hammer(host, small, each.cache.proxy, WARM_SECONDS);
    const before = await callsOf(group.node(1));
    await measure(host, measured, { large, small }, sizes, say);
    const calls = (await callsOf(group.node(1))) - before;
    say('a sibling, and a direct fetch');
    const rows = await between(sibling, group.node(2), medium, small);
    for (const row of rows) say(`  ${JSON.stringify(row)}`);
    return report(sizes, measured, rows, calls);
  } finally {
    await Promise.all(caches.map((each) => each.stop()));
    await group?.stop();
    lan.dispose();
  }
}

function empty(cache: Cache): Measured {
  const lists = { rates: [], cpuPerGib: [], requests: [], cpuPerRequest: [] };
  return { cache, firstHit: Number.NaN, errors: 0, ...lists };
}

async function ours(node: PeerageNode): Promise<Cache> {
  const { pid } = node;
  return { name: 'peerage', proxy: node.proxyUrl, pid, isSlow: false, stop: async () => undefined };
}

/** How many requests of its plugin the core has answered. */
async function callsOf(node: PeerageNode): Promise<number> {
  const [plugin] = (await node.ask('plugins', 'list')) as [{ counters: Record<string, number> }];
  const calls = Object.entries(plugin.counters).filter(([name]) => name.startsWith('requests-'));
  return calls.reduce((sum, [, count]) => sum + count, 0);
}

/** Every cache fetches both once, and once more so that the first hit is measured by itself. */
async function fill(
  host: Place,
  measured: readonly Measured[],
  urls: readonly string[],
  say: BenchOptions['say'],
): Promise<void> {
  for (const each of measured) {
    say(`filling ${each.cache.name}`);
    for (const url of urls) await fetchOnce(host, url, each.cache.proxy);
    for (const url of urls) {
      const { seconds, bytes } = await fetchOnce(host, url, each.cache.proxy);
      if (url === urls[0]) each.firstHit = bytes / seconds / 1e6;
    }
  }
}

async function measure(
  host: Place,
  measured: readonly Measured[],
  urls: { readonly large: string; readonly small: string },
  sizes: Sizes,
  say: BenchOptions['say'],
): Promise<void> {
  for (let round = 1; round <= sizes.rounds; round += 1) {
    say(`round ${round} of ${sizes.rounds}`);
    for (const each of measured) {
      if (round > 1 && each.cache.isSlow) continue;
      const family = familyOf(each.cache.pid);
      const start = cpuSeconds(family);
      const { seconds, bytes } = await fetchOnce(host, urls.large, each.cache.proxy);
      each.rates.push(bytes / seconds / 1e6);
      each.cpuPerGib.push(((cpuSeconds(family) - start) / bytes) * GIB);
      say(`  ${each.cache.name}: ${mega(bytes / seconds)} MB/s`);
    }
    for (const each of measured) {
      const family = familyOf(each.cache.pid);
      const start = cpuSeconds(family);
      const { perSecond, requests, errors } = await hammer(
        host,
        urls.small,
        each.cache.proxy,
        sizes.hammerSeconds,
      );
      each.requests.push(perSecond);
      say(`  ${each.cache.name}: ${Math.round(perSecond)} hits/s`);
      each.errors += errors;
      each.cpuPerRequest.push(((cpuSeconds(family) - start) / requests) * 1e6);
    }
  }
}

/** A sibling's copy over the LAN, and the same straight from the origin. */
async function between(host: Place, node: PeerageNode, ...urls: string[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const url of urls) {
    const peer = await fetchOnce(host, url, node.proxyUrl);
    const direct = await fetchOnce(host, url, undefined);
    for (const [name, { seconds, bytes }] of Object.entries({ 'sibling hit': peer, direct })) {
      rows.push({ what: name, bytes, ms: rounded(seconds * 1000), 'MB/s': mega(bytes / seconds) });
    }
  }
  return rows;
}

function report(
  sizes: Sizes,
  measured: readonly Measured[],
  between: readonly Row[],
  calls: number,
): Report {
  const median = (values: readonly number[]) => quantile(values, 0.5);
  const rows = measured.map(({ cache, firstHit, rates, cpuPerGib, requests, cpuPerRequest }) => ({
    cache: cache.name,
    'first hit MB/s': Math.round(firstHit),
    'hit MB/s': Math.round(median(rates)),
    'CPU s/GiB': rounded(median(cpuPerGib)),
    '1 KB hits/s': Math.round(median(requests)),
    'CPU us/hit': rounded(median(cpuPerRequest)),
  }));
  const [nginx, squid, mine] = measured.map(({ rates, requests }) => ({
    rate: median(rates),
    requests: median(requests),
  }));
  const ratio = (a = 0, b = Number.NaN) => a / b;
  return {
    scenario: 'cache',
    options: {
      largeBytes: sizes.largeBytes,
      rounds: sizes.rounds,
      line: `${LINE_RATE_KBIT} kbit/s`,
    },
    rows,
    targets: [
      atLeast('large hit, times nginx', ratio(mine?.rate, nginx?.rate), 0.6),
      atLeast('1 KB hits a second, times squid', ratio(mine?.requests, squid?.requests), 0.5),
      equal('calls of the plugin to the core during the hits', calls, 0),
      equal(
        'failed requests',
        measured.reduce((sum, { errors }) => sum + errors, 0),
        0,
      ),
    ],
    notes: [
      ...between.map((row) =>
        Object.entries(row)
          .map(([name, value]) => `${name} ${value}`)
          .join(', '),
      ),
      'medians; processor time is of all processes of a cache',
    ],
  };
}

function mega(bytesPerSecond: number): number {
  return Math.round(bytesPerSecond / 1e6);
}
