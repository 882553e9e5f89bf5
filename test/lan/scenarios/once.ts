/**
 * `once`: hosts behind a thin line take the same file one after another.
 *
 * The first one waits for the line; the origin must never be asked for the bytes again, and the
 * others must have the file at LAN speed. Everybody's copy is checked against the bytes that the
 * origin's seed stands for.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { succeeded } from '../command.js';
import { contentSha256 } from '../content.js';
import type { UrlCounts } from '../counts.js';
import { Group } from '../group.js';
import { Lan, ORIGIN_NAME } from '../lan.js';
import type { NodeConfig } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import type { Place } from '../place.js';
import { atMost, equal, type Report, rounded } from '../report.js';
import type { Scenario, ScenarioOptions, Via } from '../scenario.js';

const LINE_RATE_KBIT = 10_000;
const SIZE_BYTES = 20_000_000;
const MIRROR_PORT = 6517;
/** For one transfer of the file over the line, and as much again. */
const DEADLINE_MS = 600_000;

interface Fetched {
  readonly host: string;
  readonly seconds: number;
  readonly identical: boolean;
  readonly cacheStatus: string;
}

export const once: Scenario = {
  name: 'once',
  summary: 'a file, one host after another: the origin serves it once',
  peers: ['peerage', 'direct'],
  missing: missingForOrigin,
  run,
};

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = 3, peer = 'peerage', via = 'proxy', sizeBytes = SIZE_BYTES } = options;
  const say = options.say ?? (() => undefined);
  const sha256 = contentSha256('once', sizeBytes);
  say(`${hosts} hosts behind ${LINE_RATE_KBIT} kbit/s`);
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT });
  let group: Group | undefined;
  try {
    const origin = await OriginService.start(lan.origin, { tls: true });
    if (peer === 'peerage') {
      say('a group of nodes, one on each host');
      group = Group.on(lan.hosts, () => configOf(via, origin));
      await group.start();
    }
    const args = peer === 'peerage' ? cached(via, sizeBytes, sha256) : direct(sizeBytes);
    const fetched: Fetched[] = [];
    for (const host of lan.hosts) {
      say(`${host.name} fetches ${sizeBytes} bytes`);
      fetched.push(await fetchFile(host, args, sha256));
    }
    const { total } = await origin.counts();
    const figures = { hosts, peer, via, sizeBytes, lineRateKbit: LINE_RATE_KBIT };
    return report(figures, fetched, total);
  } finally {
    group?.saveLogs(options.logsDirectory);
    await group?.stop();
    lan.dispose();
  }
}

function report(
  options: { readonly hosts: number; readonly sizeBytes: number },
  fetched: readonly Fetched[],
  total: UrlCounts,
): Report {
  const copies = total.bodyBytes / options.sizeBytes;
  const identical = fetched.filter((row) => row.identical).length;
  return {
    scenario: 'once',
    options: { ...options },
    rows: fetched.map((row) => ({ ...row, seconds: rounded(row.seconds) })),
    targets: [
      equal('bodies that the origin served', total.bodies, 1),
      atMost('bytes that the origin served, times the file', copies, 1.01),
      ...timeTargets(fetched),
      equal('hosts with the identical file', identical, options.hosts),
    ],
    notes: [`origin: ${JSON.stringify(total)}`],
  };
}

function configOf(via: Via, origin: OriginService): NodeConfig {
  if (via === 'proxy') return {};
  return {
    core: { extraCa: origin.certificateFile },
    urlCache: { mirrors: [{ port: MIRROR_PORT, upstream: origin.tlsUrl }] },
  };
}

/**
 * curl's arguments. Over the proxy the origin is plain http, so the URL states the digest as apt's
 * by-hash URLs do: what came without TLS is shared under a digest known in advance only. The
 * mirror's origin has TLS and needs no digest.
 */
function cached(via: Via, sizeBytes: number, sha256: string): string[] {
  const path = `/bytes/${sizeBytes}/once`;
  return via === 'mirror'
    ? [`http://127.0.0.1:${MIRROR_PORT}${path}?cache=max-age%3D3600`]
    : ['--proxy', 'http://127.0.0.1:6516', `http://${ORIGIN_NAME}${path}/by-hash/SHA256/${sha256}`];
}

function direct(sizeBytes: number): string[] {
  return [`http://${ORIGIN_NAME}/bytes/${sizeBytes}/once`];
}

async function fetchFile(host: Place, args: readonly string[], sha256: string): Promise<Fetched> {
  const [file, head] = [join(host.directory, 'file'), join(host.directory, 'head')];
  const options = ['-sS', '--fail', '-D', head, '-o', file, '-w', '%{time_total}', ...args];
  const done = await host.run('curl', options, { deadlineMs: DEADLINE_MS });
  const { stdout } = succeeded(`curl on ${host.name}`, done);
  const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
  const status = /^cache-status:\s*(.*?)\s*$/im.exec(readFileSync(head, 'utf8'));
  return {
    host: host.name,
    seconds: Number(stdout),
    identical: digest === sha256,
    cacheStatus: status?.[1] ?? '',
  };
}

function timeTargets(fetched: readonly Fetched[]) {
  const [first, ...others] = fetched.map(({ seconds }) => seconds);
  if (first === undefined || others.length === 0) return [];
  return [atMost('slowest of the other hosts, seconds', Math.max(...others), first / 10)];
}
