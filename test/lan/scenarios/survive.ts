/**
 * `survive`: what breaks in the middle does not hurt. The core is killed during a client's download,
 * then the url-cache plugin's process alone, then one byte of a stored object is flipped on the
 * disk. Clients go DIRECT or try again and get right bytes, and nothing that was stored is lost.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '@peerage/sdk';
import { contentSha256 } from '../content.js';
import { Group } from '../group.js';
import { Lan, ORIGIN_NAME } from '../lan.js';
import { CLIENT_SCRIPTS, type PeerageNode } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { equal, type Report } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { until } from '../until.js';

const LINE_RATE_KBIT = 10_000;
const KEPT_BYTES = 2_000_000;
const BROKEN_OFF_BYTES = 6_000_000;
const DEADLINE_MS = 60_000;

export const survive: Scenario = {
  name: 'survive',
  summary: 'the core killed, a plugin killed, a stored byte flipped: right bytes all the same',
  missing: missingForOrigin,
  run,
};

interface Stage {
  readonly origin: OriginService;
  readonly first: PeerageNode;
  readonly second: PeerageNode;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const say = options.say ?? (() => undefined);
  const lan = Lan.create({ hosts: 2, internetRateKbit: LINE_RATE_KBIT });
  const group = Group.on(lan.hosts, () => ({}));
  try {
    const origin = await OriginService.start(lan.origin, { tls: false });
    await group.start();
    const stage = { origin, first: group.node(1), second: group.node(2) };
    for (const node of [stage.first, stage.second]) await fetchFile(node, 'kept', KEPT_BYTES);
    say('the core is killed in the middle of a download');
    const core = await killCore(stage);
    say('the plugin is killed');
    const plugin = await killPlugin(stage);
    say('one byte of a stored object is flipped');
    const damage = await flipByte(stage);
    const targets = [...core, ...plugin, ...damage];
    return { scenario: 'survive', options: { hosts: 2 }, rows: [], targets, notes: [] };
  } finally {
    group.saveLogs(options.logsDirectory);
    await group.stop();
    lan.dispose();
  }
}

interface Fetched {
  readonly code: number | undefined;
  readonly identical: boolean;
  readonly source: string;
}

function urlOf(seed: string, sizeBytes: number): string {
  return `http://${ORIGIN_NAME}/bytes/${sizeBytes}/${seed}/by-hash/SHA256/${contentSha256(seed, sizeBytes)}`;
}

/** A client of the node's proxy. */
async function fetchFile(node: PeerageNode, seed: string, sizeBytes: number): Promise<Fetched> {
  const { place } = node;
  const [file, head] = [join(place.directory, seed), join(place.directory, `${seed}.head`)];
  const url = urlOf(seed, sizeBytes);
  const args = ['-sS', '--fail', '-D', head, '-o', file, '--proxy', node.proxyUrl, url];
  const { code } = await place.run('curl', args, { deadlineMs: DEADLINE_MS });
  if (code !== 0) return { code: code ?? undefined, identical: false, source: '' };
  const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
  const status = /^cache-status:\s*peerage;\s*(.*?)\s*$/im.exec(readFileSync(head, 'utf8'));
  return { code, identical: digest === contentSha256(seed, sizeBytes), source: status?.[1] ?? '' };
}

async function killCore({ first }: Stage) {
  const client = fetchFile(first, 'broken', BROKEN_OFF_BYTES);
  await until('the download is under way', DEADLINE_MS, async () => {
    const downloads = (await first.ask('downloads')) as Array<{ receivedBytes: number }>;
    return downloads.some(({ receivedBytes }) => receivedBytes > 0) ? true : undefined;
  });
  await first.kill();
  const brokenOff = await client;
  const detect = join(CLIENT_SCRIPTS, 'apt-proxy-detect');
  const direct = await first.place.run(detect, [urlOf('broken', BROKEN_OFF_BYTES)], {});
  await first.start();
  const again = await fetchFile(first, 'broken', BROKEN_OFF_BYTES);
  const kept = await fetchFile(first, 'kept', KEPT_BYTES);
  return [
    equal('the client of the killed core saw an error', brokenOff.code !== 0, true),
    equal('apt is told to go', direct.stdout.trim(), 'DIRECT'),
    equal('after the restart the same download is right', again.identical, true),
    equal('what was stored before is still there', kept.source, 'hit'),
  ];
}

async function pluginOf(node: PeerageNode): Promise<{ pid?: number; restarts: number }> {
  const plugins = (await node.ask('plugins', 'list')) as Array<{ pid?: number; restarts: number }>;
  return plugins[0] ?? { restarts: 0 };
}

async function killPlugin({ first }: Stage) {
  const lock = join(first.stateDirectory, 'lock');
  const core = readFileSync(lock, 'utf8');
  const { pid } = await pluginOf(first);
  if (pid === undefined) throw new CodedError('E_LAB_COMMAND', 'the plugin has no process');
  process.kill(pid, 'SIGKILL');
  const fetched = await until('the plugin serves again', DEADLINE_MS, async () => {
    const attempt = await fetchFile(first, 'kept', KEPT_BYTES);
    return attempt.code === 0 ? attempt : undefined;
  });
  const after = await pluginOf(first);
  return [
    equal('bytes are right after the plugin was killed', fetched.identical, true),
    equal('it was started again, once', after.restarts, 1),
    equal('the core is the same process', readFileSync(lock, 'utf8'), core),
  ];
}

async function flipByte({ first, origin }: Stage) {
  const sha256 = contentSha256('kept', KEPT_BYTES);
  const file = join(first.stateDirectory, 'store', 'objects', sha256.slice(0, 2), sha256);
  const at = KEPT_BYTES / 2;
  const opened = openSync(file, 'r+');
  try {
    const byte = Buffer.alloc(1);
    readSync(opened, byte, 0, 1, at);
    writeSync(opened, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  } finally {
    closeSync(opened);
  }
  const damaged = await fetchFile(first, 'kept', KEPT_BYTES);
  const next = await fetchFile(first, 'kept', KEPT_BYTES);
  // While the mended object is still on its way into the store, the next client shares that download.
  const healed = await until('a hit on the healed object', DEADLINE_MS, async () => {
    const again = await fetchFile(first, 'kept', KEPT_BYTES);
    return again.source === 'hit' ? again : undefined;
  });
  const { urls } = await origin.counts();
  const path = new URL(urlOf('kept', KEPT_BYTES)).pathname;
  return [
    equal('the client of a damaged object gets right bytes', damaged.identical, true),
    equal('and so do the next ones', next.identical && healed.identical, true),
    equal('the healed object is served from the store', healed.source, 'hit'),
    equal('the origin served it once in all', urls[path]?.bodies ?? 0, 1),
  ];
}
