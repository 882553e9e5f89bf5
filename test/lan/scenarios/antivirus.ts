/**
 * `antivirus`: a new version of a ClamAV database is published, and every host detects with it.
 *
 * Hosts behind a thin line, two of them without Internet, each with its own clamd and freshclam of
 * Debian; two go without freshclam. Only one node asks the origin what is new, each file leaves the
 * origin once, and within a minute the clamd of every host finds what the version before did not.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClamavPublisher, type PublishedVersion, sampleOf } from '../../fakes/clamav-publisher.js';
import { ClamavHost, DATABASE_DIRECTORY } from '../clamav-host.js';
import { exchangeKeys, missingClamav } from '../clamav-programs.js';
import type { Counts } from '../counts.js';
import { electing } from '../election.js';
import { Group } from '../group.js';
import { Lan, ORIGIN_NAME } from '../lan.js';
import type { NodeConfig } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atMost, equal, type Report, type Row, rounded, type Target } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { until } from '../until.js';
import { hasAsked, questionsOfOne, settled, statusOf } from '../update-status.js';

const LINE_RATE_KBIT = 10_000;
const HOSTS = 8;
/** Signatures that do not change, so that the whole is much larger than a difference. */
const BALLAST_BYTES = 2_000_000;
/** What the scenario promises. */
const IN_FORCE_SECONDS = 60;
const DEADLINE_MS = 120_000;
/** The provider of the lab asks often, so that the measure is of the LAN and not of its pause. */
const CHECK_HOURS = 0.001;

export const antivirus: Scenario = {
  name: 'antivirus',
  summary: 'a new ClamAV version is in force on every host within a minute, from one download',
  missing: () => missingForOrigin() ?? missingClamav(),
  run,
};

/** What the scenario stands on while it runs. */
interface Ground {
  readonly hosts: readonly ClamavHost[];
  readonly group: Group;
  readonly origin: OriginService;
  readonly directory: string;
  readonly versions: readonly PublishedVersion[];
  readonly say: (step: string) => void;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = HOSTS } = options;
  const say = options.say ?? (() => undefined);
  const offlineHosts = [hosts - 1, hosts];
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT, offlineHosts });
  let group: Group | undefined;
  try {
    say('a publisher with keys of its own, and ClamAV that trusts it');
    const publisher = new ClamavPublisher();
    const versions = publisher.versions('daily', 3, { ballastBytes: BALLAST_BYTES });
    const libraries = exchangeKeys(join(lan.origin.directory, 'lib'), publisher.keys);
    const places = lan.hosts.map((host) => new ClamavHost(host, libraries));
    const directory = join(lan.origin.directory, 'www');
    mkdirSync(join(directory, 'clamav'), { recursive: true });
    const origin = await OriginService.start(lan.origin, { directory });
    publish(directory, versions, 1);
    say(`clamd on ${hosts} hosts, with version 1`);
    for (const place of places) await startScanner(place, versions);
    group = Group.on(places, (place) => configOf(place as ClamavHost, publisher, places));
    say('a group of nodes, one on each host');
    await group.start();
    return await judge({ hosts: places, group, origin, directory, versions, say });
  } finally {
    group?.saveLogs(options.logsDirectory);
    await group?.stop();
    lan.dispose();
  }
}

/** The host starts with version 1 in force, as one that was installed with it. */
async function startScanner(place: ClamavHost, versions: readonly PublishedVersion[]) {
  const [first] = versions;
  writeFileSync(join(place.databases, 'daily.cvd'), first?.database ?? '');
  await place.startClamd();
}

async function judge(ground: Ground): Promise<Report> {
  const { hosts, origin, group, say } = ground;
  say('one node is elected to ask for all');
  await settled(group);
  await origin.reset();
  const sinceMs = Date.now();
  const second = await release(ground, 2);
  const third = await release(ground, 3);
  const counts = await origin.counts();
  const questions = counts.urls['/clamav/daily.cvd']?.gets ?? 0;
  const bound = questionsOfOne(sinceMs, CHECK_HOURS * 3_600_000);
  say('what each node says of its checks');
  const rows = await Promise.all(
    hosts.map((host, at) => rowOf(host, group, at, { second, third, sinceMs })),
  );
  const targets: Target[] = [
    atMost('seconds until version 2 is in force on all', Math.max(...second), IN_FORCE_SECONDS),
    atMost('seconds until version 3 is in force on all', Math.max(...third), IN_FORCE_SECONDS),
    atMost('questions to the origin, as many as one host asks', questions, bound),
    ...filesOf(counts),
  ];
  const { total } = counts;
  return {
    scenario: 'antivirus',
    options: { hosts: hosts.length, offline: 2, lineRateKbit: LINE_RATE_KBIT },
    rows,
    targets,
    notes: [`origin: ${JSON.stringify(total)}`, ...sources(rows)],
  };
}

/** Publishes a version; the seconds until each host detects with it. */
async function release(ground: Ground, version: number): Promise<number[]> {
  const { hosts, directory, versions, say } = ground;
  say(`version ${version} is published`);
  const startedAt = performance.now();
  publish(directory, versions, version);
  const sample = join(directory, `sample-${version}`);
  writeFileSync(sample, sampleOf('daily', version));
  return Promise.all(
    hosts.map(async (host) => {
      const look = async () => ((await host.detects(sample)) ? true : undefined);
      await until(`${host.name} detects with version ${version}`, DEADLINE_MS, look);
      return rounded((performance.now() - startedAt) / 1000);
    }),
  );
}

/** Each file's bodies at the origin; the 512 bytes of a header are no file. */
function filesOf({ urls }: Counts): Target[] {
  return Object.entries(urls)
    .filter(([url, { bodies }]) => bodies > 0 && url !== '/clamav/daily.cvd')
    .map(([url, { bodies }]) => equal(`times that ${url} left the origin`, bodies, 1));
}

/** What was measured since a moment. */
interface Measured {
  readonly second: readonly number[];
  readonly third: readonly number[];
  readonly sinceMs: number;
}

async function rowOf(
  host: ClamavHost,
  group: Group,
  at: number,
  { second, third, sinceMs }: Measured,
): Promise<Row> {
  const status = await statusOf(group, at + 1);
  const [component] = status.components;
  const files = component?.files.map(({ name, source }) => `${name}:${source}`) ?? [];
  return {
    host: host.name,
    mode: isPlacing(at) ? 'place' : 'freshclam',
    version2Seconds: second[at] ?? -1,
    version3Seconds: third[at] ?? -1,
    version: component?.version ?? '',
    asked: hasAsked(status, sinceMs),
    files: files.join(' '),
  };
}

/** Of each pair of hosts that begins with the third, one goes without freshclam. */
function isPlacing(at: number): boolean {
  return at % 4 === 3;
}

function configOf(
  place: ClamavHost,
  { keys }: ClamavPublisher,
  all: readonly ClamavHost[],
): NodeConfig {
  const mode = isPlacing(all.indexOf(place)) ? 'place' : 'freshclam';
  const hours = { afterSuccessHours: CHECK_HOURS, afterFailureHours: CHECK_HOURS };
  return {
    ...electing(),
    plugins: {
      antivirus: {
        use: '@peerage/antivirus',
        enabled: true,
        grant: { programs: ['freshclam', 'clamscan'], writePaths: [DATABASE_DIRECTORY] },
        settings: {
          clamav: {
            ...{ databases: ['daily'], source: `http://${ORIGIN_NAME}/clamav/`, mode, keys },
            ...{ databaseOwner: 'root', clamdSocket: place.socket },
          },
          times: { atStartSeconds: [0], jitterShare: 0, ...hours },
        },
      },
    },
  };
}

/** Puts a version at the origin, the differences first, each file as a whole. */
function publish(directory: string, versions: readonly PublishedVersion[], newest: number): void {
  for (const { version, database, difference } of versions) {
    if (version > newest) continue;
    if (version > 1) put(join(directory, `clamav/daily-${version}.cdiff`), difference);
    if (version === newest) put(join(directory, 'clamav/daily.cvd'), database);
  }
}

function put(path: string, bytes: Buffer): void {
  writeFileSync(`${path}.part`, bytes);
  renameSync(`${path}.part`, path);
}

function sources(rows: readonly Row[]): string[] {
  return rows.map(({ host, files }) => `${host}: ${files}`);
}
