/**
 * `apt`: the real apt on every host updates and installs from a signed Debian repository.
 *
 * Targets: every package leaves the origin exactly once for the whole LAN, every host has all of
 * them installed, and a host whose node is stopped still installs, by Proxy-Auto-Detect.
 */
import { join } from 'node:path';
import { APT_TOOLS, AptClient } from '../apt-client.js';
import type { Counts } from '../counts.js';
import { type Archive, buildArchive, REPOSITORY_TOOLS, WANTED } from '../debian-repository.js';
import { Group } from '../group.js';
import type { Host } from '../host.js';
import { Lan } from '../lan.js';
import { CLIENT_SCRIPTS } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { equal, type Report, type Row, rounded, type Target } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { missingTools } from '../tools.js';

const LINE_RATE_KBIT = 20_000;
const DETECT_SCRIPT = join(CLIENT_SCRIPTS, 'apt-proxy-detect');

export const apt: Scenario = {
  name: 'apt',
  summary: 'apt-get update and install on every host: each package leaves the origin once',
  peers: ['peerage', 'direct'],
  missing: () => missingForOrigin() ?? missingTools([...REPOSITORY_TOOLS, ...APT_TOOLS]),
  run,
};

/** What the scenario stands on while it runs. */
interface Ground {
  readonly lan: Lan;
  readonly origin: OriginService;
  readonly archive: Archive;
  readonly group: Group | undefined;
  readonly say: (step: string) => void;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = 3, peer = 'peerage' } = options;
  const say = options.say ?? (() => undefined);
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT });
  const group = peer === 'peerage' ? Group.on(lan.hosts, () => ({})) : undefined;
  try {
    say('a Debian repository on the origin');
    const archive = await buildArchive(lan.origin);
    const origin = await OriginService.start(lan.origin, { directory: archive.root });
    if (group !== undefined) say('a group of nodes, one on each host');
    await group?.start();
    const ground: Ground = { lan, origin, archive, group, say };
    const { rows, targets, counts } = await everyHost(ground);
    return {
      scenario: 'apt',
      options: { hosts, peer, packages: archive.packages.length, lineRateKbit: LINE_RATE_KBIT },
      rows,
      targets: [...targets, ...(await withoutNode(ground))],
      notes: [`origin: ${JSON.stringify(counts.total)}`, ...indexNotes(counts)],
    };
  } finally {
    group?.saveLogs(options.logsDirectory);
    await group?.stop();
    lan.dispose();
  }
}

/** Each host after the other updates and installs; the origin's counts judge. */
async function everyHost({ lan, origin, archive, group, say }: Ground) {
  const rows: Row[] = [];
  for (const host of lan.hosts) {
    say(`${host.name}: apt-get update and install`);
    const node = group?.node(rows.length + 1);
    const proxy = node === undefined ? {} : { fixed: node.proxyUrl };
    rows.push(await updateAndInstall(host, new AptClient(host, 'root', archive, proxy)));
  }
  const counts = await origin.reset();
  const bodies = archive.packages.map(({ path }) => counts.urls[path]?.bodies ?? 0);
  const complete = rows.filter(({ installed }) => installed === archive.packages.length);
  const targets: Target[] = [
    equal('packages that left the origin once', count(bodies, 1), archive.packages.length),
    equal('times that packages left the origin', sum(bodies), archive.packages.length),
    equal('bytes of packages that left the origin', debBytes(counts), archiveBytes(archive)),
    equal('hosts with all packages installed', complete.length, lan.hosts.length),
  ];
  return { rows, targets, counts };
}

async function updateAndInstall(host: Host, client: AptClient): Promise<Row> {
  const startedAt = performance.now();
  await client.update();
  const updatedAt = performance.now();
  await client.install(WANTED);
  return {
    host: host.name,
    updateSeconds: rounded((updatedAt - startedAt) / 1000),
    installSeconds: rounded((performance.now() - updatedAt) / 1000),
    installed: client.countInstalled(),
  };
}

/** The last host's node is stopped, and its apt asks the script where to go. */
async function withoutNode({ lan, origin, archive, group, say }: Ground): Promise<Target[]> {
  if (group === undefined) return [];
  const host = lan.host(lan.hosts.length);
  const node = group.node(lan.hosts.length);
  const detect = { detect: DETECT_SCRIPT };
  say(`${host.name}: again by Proxy-Auto-Detect, the node running, then stopped`);
  await updateAndInstall(host, new AptClient(host, 'detected', archive, detect));
  const through = debBytes(await origin.reset());
  await node.stop();
  const row = await updateAndInstall(host, new AptClient(host, 'stopped', archive, detect));
  const past = debBytes(await origin.reset());
  return [
    equal('bytes of packages, node running, by Proxy-Auto-Detect', through, 0),
    equal(
      'packages installed with the node stopped',
      row['installed'] ?? 0,
      archive.packages.length,
    ),
    equal('bytes of packages, node stopped (DIRECT)', past, archiveBytes(archive)),
  ];
}

function debBytes({ urls }: Counts): number {
  const debs = Object.entries(urls).filter(([path]) => path.endsWith('.deb'));
  return sum(debs.map(([, { bodyBytes }]) => bodyBytes));
}

function archiveBytes({ packages }: Archive): number {
  return sum(packages.map(({ sizeBytes }) => sizeBytes));
}

function indexNotes({ urls }: Counts): string[] {
  return Object.entries(urls)
    .filter(([path]) => path.includes('/dists/'))
    .map(([path, { gets, bodies, notModified, failures }]) => {
      const name = path.replace(/[0-9a-f]{56}$/, '…');
      return `${name}: ${gets} asked, ${bodies} bodies, ${notModified} unchanged, ${failures} failed`;
    });
}

function count(numbers: readonly number[], wanted: number): number {
  return numbers.filter((number) => number === wanted).length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
