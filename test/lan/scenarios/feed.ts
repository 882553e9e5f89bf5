/**
 * `feed`: a product feed of six cabinets on hosts behind a thin line, two of them offline.
 *
 * Every cabinet is a transaction of its own and leaves the origin once; then every attack that the
 * origin, or whoever is on the way to it, can make is made, and must be refused with its reason
 * while nothing but what the publisher signed is in force: the version before, or, as soon as its
 * cabinets are whole again, the one whose metadata was verified already.
 */
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { FeedRepository } from '@peerage/antivirus/product/repository.js';
import { content } from '../content.js';
import { electing } from '../election.js';
import { Group } from '../group.js';
import { Lan, ORIGIN_NAME } from '../lan.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atMost, equal, type Report, type Row, rounded, type Target } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { until } from '../until.js';
import {
  hasAsked,
  questionsOfOne,
  settled,
  statusOf,
  type UpdateStatus,
} from '../update-status.js';

const LINE_RATE_KBIT = 10_000;
const HOSTS = 8;
/** All six cabinets together. */
const SIZE_BYTES = 2_250_000;
const CABINETS = ['myavdat', 'myxtrdat', 'mycioagt', 'vsasap', 'vseng9x', 'vsengine'];
const VERSIONS = ['2611220930', '2611221030', '2611221130'] as const;
const IN_FORCE_SECONDS = 60;
const DEADLINE_MS = 120_000;
/** The provider of the lab asks often, so that the measure is of the LAN and not of its pause. */
const CHECK_HOURS = 0.001;
const DAY_MS = 24 * 3_600_000;

export const feed: Scenario = {
  name: 'feed',
  summary: 'six cabinets of a signed feed on every host from one download, and attacks refused',
  missing: missingForOrigin,
  run,
};

/** What the scenario stands on while it runs. */
interface Ground {
  readonly group: Group;
  readonly origin: OriginService;
  readonly www: string;
  readonly repository: FeedRepository;
  /** Where the publisher has the repository and its cabinets. */
  readonly publisher: string;
  readonly sizeBytes: number;
  readonly say: (step: string) => void;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = HOSTS, sizeBytes = SIZE_BYTES } = options;
  const say = options.say ?? (() => undefined);
  const offlineHosts = hosts > 3 ? [hosts - 1, hosts] : [hosts];
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT, offlineHosts });
  let group: Group | undefined;
  try {
    const publisher = join(lan.origin.directory, 'publisher');
    const www = join(lan.origin.directory, 'www');
    for (const path of [publisher, www]) mkdirSync(path);
    const repository = new FeedRepository(join(publisher, 'feed'), join(publisher, 'keys'));
    await repository.create();
    const root = readFileSync(join(publisher, 'feed/metadata/1.root.json'), 'utf8');
    group = Group.on(lan.hosts, () => configOf(JSON.parse(root) as unknown));
    const origin = await OriginService.start(lan.origin, { directory: www });
    const ground: Ground = { group, origin, www, repository, publisher, sizeBytes, say };
    await offer(ground, VERSIONS[0]);
    await origin.reset();
    say(`a group of ${hosts} nodes`);
    await group.start();
    const { rows, targets } = await everyHost(ground);
    return {
      scenario: 'feed',
      options: { hosts, offline: offlineHosts.length, sizeBytes, lineRateKbit: LINE_RATE_KBIT },
      rows,
      targets: [...targets, ...(await attacks(ground))],
      notes: rows.map(({ host, files }) => `${host}: ${files}`),
    };
  } finally {
    group?.saveLogs(options.logsDirectory);
    await group?.stop();
    lan.dispose();
  }
}

/** The first version is there already when the nodes start; the second is published then. */
async function everyHost(ground: Ground): Promise<{ rows: Row[]; targets: Target[] }> {
  const { group, origin, say, sizeBytes } = ground;
  await inForce(ground, VERSIONS[0]);
  await settled(group);
  await origin.reset();
  const sinceMs = Date.now();
  say(`version ${VERSIONS[1]} is published`);
  await offer(ground, VERSIONS[1]);
  const seconds = await inForce(ground, VERSIONS[1]);
  const { urls } = await origin.counts();
  const questions = urls['/metadata/timestamp.json']?.gets ?? 0;
  const bound = questionsOfOne(sinceMs, CHECK_HOURS * 3_600_000);
  const cabinets = Object.entries(urls).filter(([url]) => url.endsWith('.cab'));
  const bodies = cabinets.map(([, counts]) => counts.bodies);
  const bytes = cabinets.reduce((sum, [, counts]) => sum + counts.bodyBytes, 0);
  const rows = await Promise.all(
    group.nodes.map(async (node, at) => {
      const status = await statusOf(ground.group, at + 1);
      const files = status.components.flatMap((one) => one.files);
      return {
        host: node.place.name,
        seconds: seconds[at] ?? -1,
        asked: hasAsked(status, sinceMs),
        files: files.map(({ name, source }) => `${name}:${source}`).join(' '),
      };
    }),
  );
  const targets = [
    atMost('seconds until the new version is on all hosts', Math.max(...seconds), IN_FORCE_SECONDS),
    equal('cabinets that left the origin', cabinets.length, CABINETS.length),
    equal('times that the most often sent cabinet left it', Math.max(...bodies), 1),
    atMost('bytes of cabinets that left it, times the feed', bytes / sizeBytes, 1.01),
    atMost('questions to the origin, as many as one host asks', questions, bound),
  ];
  return { rows, targets };
}

/** Seconds until each host has all cabinets of a version. */
async function inForce(ground: Ground, version: string): Promise<number[]> {
  const startedAt = performance.now();
  const hosts = ground.group.nodes.map((_, at) => at + 1);
  return Promise.all(
    hosts.map(async (host) => {
      await until(`host ${host} has ${version}`, DEADLINE_MS, async () => {
        const { components } = await statusOf(ground.group, host);
        const isThere = components.filter((one) => one.version === version);
        return isThere.length === CABINETS.length ? true : undefined;
      });
      return rounded((performance.now() - startedAt) / 1000);
    }),
  );
}

/** Each attack, seen by the first node that asks the origin; the old version stays in force. */
async function attacks(ground: Ground): Promise<Target[]> {
  const { www, publisher, repository } = ground;
  const site = siteOf(ground);
  const metadata = (name: string) => join(site, 'metadata', name);
  const before = join(publisher, 'before');
  cpSync(www, before, { recursive: true });
  await offer(ground, VERSIONS[2], false);
  const cabinet = () => findCabinet(site, 'vseng9x', VERSIONS[2]);
  const list: Array<[what: string, attack: () => Promise<void> | void, codes: string]> = [
    ['tampered cabinet', () => flip(cabinet()), 'E_DIGEST_MISMATCH E_UPDATE_DIGEST'],
    [
      'truncated cabinet',
      () => truncateSync(cabinet(), 1_000),
      'E_DIGEST_MISMATCH E_UPDATE_SIZE E_ORIGIN_CHANGED',
    ],
    [
      'another cabinet under its name',
      () => cpSync(findCabinet(site, 'vsasap', VERSIONS[2]), cabinet()),
      'E_DIGEST_MISMATCH E_UPDATE_DIGEST E_ORIGIN_CHANGED',
    ],
    ['tampered metadata', () => edit(metadata('timestamp.json')), 'E_FEED_UNSIGNED'],
    ['captive portal', () => writeFileSync(metadata('timestamp.json'), '<html>'), 'E_FEED_FORMAT'],
    ['endless metadata', () => truncateSync(metadata('timestamp.json'), 5e7), 'E_FEED_LENGTH'],
    [
      'rolled back',
      () => cpSync(join(publisher, 'old-timestamp.json'), metadata('timestamp.json')),
      'E_FEED_ROLLBACK',
    ],
    [
      'mixed',
      async () => {
        // Of metadata that nobody has yet: what was verified once is not asked for again.
        await repository.publish();
        cpSync(join(publisher, 'feed'), site, { recursive: true });
        cpSync(newestSnapshot(before), newestSnapshot(site));
      },
      'E_FEED_MIXED E_FEED_LENGTH E_FEED_ROLLBACK',
    ],
    [
      'frozen',
      async () => {
        await repository.publish({ now: new Date(Date.now() - 30 * DAY_MS) });
        cpSync(join(publisher, 'feed'), site, { recursive: true });
      },
      'E_FEED_EXPIRED',
    ],
    [
      'signed with other keys',
      async () => {
        const stranger = join(publisher, 'stranger');
        const forger = new FeedRepository(stranger, join(publisher, 'stranger-keys'));
        await forger.create();
        for (let round = 0; round < 9; round += 1) await forger.publish();
        cpSync(stranger, site, { recursive: true });
      },
      'E_FEED_UNSIGNED E_FEED_MIXED',
    ],
  ];
  const targets: Target[] = [];
  for (const [what, attack, codes] of list)
    targets.push(await refused(ground, what, attack, codes));
  return targets;
}

async function refused(
  ground: Ground,
  what: string,
  attack: () => Promise<void> | void,
  codes: string,
): Promise<Target> {
  const { www, publisher, say } = ground;
  say(`attack: ${what}`);
  const site = siteOf(ground);
  cpSync(join(publisher, 'feed'), site, { recursive: true });
  await attack();
  // In one go, so that nobody meets the feed as its publisher made it.
  const gone = join(publisher, 'gone');
  renameSync(www, gone);
  renameSync(site, www);
  rmSync(gone, { recursive: true });
  const sinceMs = Date.now();
  const { code, status } = await until(`${what} is refused`, DEADLINE_MS, () => {
    return refusal(ground, sinceMs);
  });
  const version = status.components.find(({ component }) => component === 'vseng9x')?.version;
  const signed = what.includes('cabinet') ? [VERSIONS[1]] : VERSIONS.slice(1);
  const isSigned = signed.some((one) => one === version);
  const value = isSigned ? code : `${code}, and ${version} is in force`;
  return { name: `refused: ${what}`, value, target: codes, pass: codes.split(' ').includes(value) };
}

/** Where an attacked copy of the feed is made, before it takes the place of the origin's. */
function siteOf({ publisher }: Ground): string {
  return join(publisher, 'site');
}

/** The first reason that a node which asked the origin has told since then. */
async function refusal(
  { group }: Ground,
  sinceMs: number,
): Promise<{ code: string; status: UpdateStatus } | undefined> {
  for (const [at] of group.nodes.entries()) {
    const status = await statusOf(group, at + 1);
    for (const { role, startedAtMs, failure, components } of status.checks) {
      if (role === 'listen' || startedAtMs < sinceMs) continue;
      const found = [failure, ...components.map((one) => one.failure)];
      // Who has no Internet could not ask, and so has seen nothing of it.
      const told = found.find((one) => one !== undefined && one.code !== 'E_NO_INTERNET');
      if (told !== undefined && told.code !== 'E_ORIGIN_UNREACHABLE')
        return { code: told.code, status };
    }
  }
  return undefined;
}

/** Makes a version of all cabinets the newest of the repository, and of the origin. */
async function offer(ground: Ground, version: string, isUploaded = true): Promise<void> {
  const { repository, publisher, www, sizeBytes } = ground;
  const bytes = Math.round(sizeBytes / CABINETS.length);
  for (const name of CABINETS) {
    const path = join(publisher, `${name}.cab`);
    const parts = [...content(`${name} ${version}`, 0, bytes)];
    writeFileSync(path, Buffer.concat(parts));
    await repository.add(name, version, [path]);
  }
  await repository.publish();
  cpSync(join(publisher, 'feed'), isUploaded ? www : join(publisher, 'later'), { recursive: true });
  if (version === VERSIONS[0]) {
    cpSync(join(www, 'metadata/timestamp.json'), join(publisher, 'old-timestamp.json'));
  }
}

function configOf(root: unknown) {
  const hours = { afterSuccessHours: CHECK_HOURS, afterFailureHours: CHECK_HOURS };
  const product = { name: 'vs', url: `http://${ORIGIN_NAME}/`, root };
  return {
    ...electing(),
    plugins: {
      antivirus: {
        use: '@peerage/antivirus',
        enabled: true,
        settings: {
          products: [product],
          times: { atStartSeconds: [0], jitterShare: 0, ...hours },
        },
      },
    },
  };
}

function findCabinet(www: string, name: string, version: string): string {
  const directory = join(www, 'targets', name, version);
  return join(directory, readdirSync(directory)[0] ?? '');
}

function newestSnapshot(site: string): string {
  const directory = join(site, 'metadata');
  const versions = readdirSync(directory).flatMap(
    (name) => /^(\d+)\.snapshot\.json$/.exec(name)?.[1] ?? [],
  );
  return join(directory, `${Math.max(...versions.map(Number))}.snapshot.json`);
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

function edit(path: string): void {
  writeFileSync(path, readFileSync(path, 'utf8').replace('"version":', '"version":1'));
}
