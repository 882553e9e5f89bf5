/**
 * `npm`: the real npm installs a project of more than fifty packages through two nodes' mirrors.
 *
 * Two nodes on this machine, on loopback addresses of their own; the upstream of both mirrors is a
 * recorder in front of the registry that npm is configured for. Targets: what the first install
 * took from the registry, the second one takes from the first node; not a byte of a body comes
 * from upstream again; both trees are equal.
 */
import { join } from 'node:path';
import type { Counts } from '../counts.js';
import { Group } from '../group.js';
import { NPM_TOOLS, NpmClient } from '../npm-client.js';
import { LoopbackPlace, type Place } from '../place.js';
import { freePort } from '../ports.js';
import { RegistryRecorder } from '../registry-recorder.js';
import { atLeast, equal, type Report, type Row, rounded } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { missingTools } from '../tools.js';
import { Workspace } from '../workspace.js';

const ADDRESSES = ['127.0.0.2', '127.0.0.3'];
const LEAST_PACKAGES = 50;
/** Requests of the second install that a report names. */
const NAMED_REQUESTS = 20;

export const npm: Scenario = {
  name: 'npm',
  summary: 'npm ci through two mirrors: the second takes nothing from the registry',
  peers: ['peerage', 'direct'],
  missing: () => missingTools(NPM_TOOLS),
  run,
};

async function run(options: ScenarioOptions): Promise<Report> {
  const { peer = 'peerage' } = options;
  const say = options.say ?? (() => undefined);
  const workspace = new Workspace();
  const recorder = await RegistryRecorder.start();
  const places = ADDRESSES.map((address, index) => {
    const name = `n${index + 1}`;
    return new LoopbackPlace(name, address, join(workspace.directory, name));
  });
  const mirrors = peer === 'peerage' ? await mirrorsOn(places, recorder.url) : undefined;
  try {
    if (mirrors !== undefined) say('two nodes, each with a mirror of the registry');
    await mirrors?.group.start();
    const urls = mirrors?.urls ?? places.map(() => recorder.url);
    return await installTwice(places, urls, recorder, { peer }, say);
  } finally {
    mirrors?.group.saveLogs(options.logsDirectory);
    await mirrors?.group.stop();
    recorder.dispose();
    workspace.dispose();
  }
}

interface Mirrors {
  readonly group: Group;
  /** The registry URL for clients of each place. */
  readonly urls: readonly string[];
}

async function mirrorsOn(places: readonly Place[], upstream: string): Promise<Mirrors> {
  const first = places[0]?.address ?? '';
  const packetPort = await freePort(first);
  const ports = new Map<Place, { object: number; proxy: number; mirror: number }>();
  for (const place of places) {
    const { address } = place;
    const [object, proxy] = [await freePort(address), await freePort(address)];
    ports.set(place, { object, proxy, mirror: await freePort(address) });
  }
  const portsOf = (place: Place) => ports.get(place) ?? { object: 0, proxy: 0, mirror: 0 };
  const group = Group.on(places, (place) => ({
    core: {
      address: place.address,
      packetPort,
      objectPort: portsOf(place).object,
      // The recorder stands on this machine, where no origin may be unless it is allowed.
      originAllow: ['127.0.0.0/8'],
    },
    listen: { address: place.address, port: portsOf(place).proxy },
    urlCache: { mirrors: [{ port: portsOf(place).mirror, upstream }] },
  }));
  const urls = places.map((place) => `http://${place.address}:${portsOf(place).mirror}`);
  return { group, urls };
}

async function installTwice(
  places: readonly Place[],
  urls: readonly string[],
  recorder: RegistryRecorder,
  options: Report['options'],
  say: (step: string) => void,
): Promise<Report> {
  const [firstPlace, url = ''] = [places[0], urls[0]];
  if (firstPlace === undefined) throw new RangeError('the scenario has two places');
  say('npm resolves the project through the first');
  const lockFile = await new NpmClient(firstPlace, 'locking', url).lock();
  const resolving = recorder.reset();
  const rows: Row[] = [];
  const trees: string[] = [];
  const taken: Counts[] = [];
  let packages = 0;
  for (const [index, place] of places.entries()) {
    say(`npm ci through ${place.name}`);
    const client = new NpmClient(place, 'project', urls[index] ?? '');
    const startedAt = performance.now();
    await client.install(lockFile);
    const counts = recorder.reset();
    rows.push(rowOf(place, performance.now() - startedAt, counts));
    taken.push(counts);
    trees.push(client.treeSha256());
    packages = client.countPackages();
  }
  const [first, second] = taken;
  return {
    scenario: 'npm',
    options,
    rows,
    targets: [
      atLeast('packages installed', packages, LEAST_PACKAGES),
      atLeast('bodies from upstream, first node', first?.total.bodies ?? 0, LEAST_PACKAGES),
      equal('bodies from upstream, second node', second?.total.bodies ?? -1, 0),
      equal('bytes from upstream, second node', second?.total.bodyBytes ?? -1, 0),
      equal('trees equal', trees[0] === trees[1], true),
    ],
    notes: [
      `resolving took ${resolving.total.gets} requests, ${resolving.total.bodyBytes} bytes`,
      ...requestNotes(second),
    ],
  };
}

function rowOf(place: Place, tookMs: number, { total }: Counts): Row {
  return {
    node: place.name,
    seconds: rounded(tookMs / 1000),
    upstreamRequests: total.gets,
    upstreamBodies: total.bodies,
    upstreamBytes: total.bodyBytes,
    upstreamUnchanged: total.notModified,
  };
}

/** What the second node still asked upstream, by name. */
function requestNotes(second: Counts | undefined): string[] {
  const asked = Object.entries(second?.urls ?? {});
  return asked.slice(0, NAMED_REQUESTS).map(([path, { gets, bodies, notModified }]) => {
    return `second node asked ${path}: ${gets}, ${bodies} bodies, ${notModified} unchanged`;
  });
}
