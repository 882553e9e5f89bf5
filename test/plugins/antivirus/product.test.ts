/** Product feeds: six cabinets, published, brought to every node, and every attack refused. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { main } from '@peerage/antivirus/product/command.js';
import { FeedRepository } from '@peerage/antivirus/product/repository.js';
import type { ProductSettings } from '@peerage/antivirus/settings.js';
import { useScratch } from '../../fakes/scratch.js';
import { until } from '../../lan/until.js';
import { digestOf, FakeLan } from '../../update-agent/fake-lan.js';
import { type NodeOptions, TestNode } from './rig.js';

const URL = 'http://feed.test/av/';
const CABINETS = ['myavdat', 'myxtrdat', 'mycioagt', 'vsasap', 'vseng9x', 'vsengine'];
const [OLD, NEW] = ['2611220930', '2611221030'];
const SOON_MS = 10_000;

describe('antivirus: product feeds', () => {
  const scratch = useScratch();
  let lan: FakeLan;
  let repository: FeedRepository;
  let directory: string;
  const nodes: TestNode[] = [];
  beforeEach(async () => {
    lan = new FakeLan();
    directory = scratch('feed');
    repository = new FeedRepository(directory, scratch('keys'));
    await repository.create();
    await offer(OLD);
  });
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop();
  });

  /** Makes this version of all cabinets the newest at the origin. */
  async function offer(version: string): Promise<void> {
    for (const name of CABINETS) {
      const cabinets = scratch('cabinets');
      mkdirSync(cabinets, { recursive: true });
      writeFileSync(join(cabinets, `${name}.cab`), cabinet(name, version));
      await repository.add(name, version, [join(cabinets, `${name}.cab`)]);
    }
    await repository.publish();
    upload();
  }

  /** Copies a repository to the server. */
  function upload(from = directory): void {
    for (const file of readdirSync(from, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const path = join(file.parentPath, file.name);
      lan.origin.set(URL + path.slice(from.length + 1), { body: readFileSync(path) });
    }
  }

  async function node(name: string, options: Partial<NodeOptions> = {}): Promise<TestNode> {
    const home = options.directory ?? scratch(name);
    const target = join(home, 'installed');
    mkdirSync(target, { recursive: true });
    const product: ProductSettings = {
      ...{ name: 'vs', url: URL, root: firstRoot(directory) },
      ...{ directory: target, isRunning: false },
    };
    const made = await TestNode.start(lan, name, {
      ...options,
      directory: home,
      clamav: { databases: [] },
      settings: { products: [product], ...options.settings },
    });
    nodes.push(made);
    return made;
  }

  const installed = (one: TestNode) => {
    const target = join(one.context.dataDirectory, 'installed');
    return readdirSync(target).map((name) => readFileSync(join(target, name), 'utf8').slice(0, 30));
  };
  const versions = (one: TestNode) => CABINETS.map((name) => one.version(name));
  const everywhere = (version: string) => () => {
    return nodes.every((one) => versions(one).every((found) => found === version))
      ? true
      : undefined;
  };

  it('brings six cabinets to every node, each by its own transaction, each from the origin once', async () => {
    const provider = await node('n1', { provider: 'n1' });
    await node('n2', { provider: 'n1' });
    await node('n3', { provider: 'n1', hasInternet: false });
    await provider.check();
    await until('all have them', SOON_MS, everywhere(OLD));
    const cabinets = lan.asked.filter((url) => url.endsWith('.cab'));
    deepEqual([cabinets.length, new Set(cabinets).size], [6, 6]);
    equal(lan.asked.filter((url) => url.includes('timestamp.json')).length, 1);
    for (const one of nodes) equal(installed(one).length, 6);
    const { components } = nodes[2]?.plugin.status() ?? { components: [] };
    deepEqual(
      components.flatMap(({ files }) => files.map(({ source }) => source)),
      Array(6).fill('peer'),
    );
  });

  it('puts a new version in place of the old, all files of a component or none', async () => {
    const one = await node('n1');
    await one.check();
    await offer(NEW);
    equal(await one.check(), 'updated');
    ok(installed(one).every((text) => text.includes(NEW)));
  });

  it('goes back everywhere when the publisher recalls, and on with the next', async () => {
    const one = await node('n1');
    await one.check();
    await offer(NEW);
    await one.check();
    await repository.recall('vsengine', NEW, OLD);
    await repository.publish();
    upload();
    await one.check();
    deepEqual([one.version('vsengine'), one.version('myavdat')], [OLD, NEW]);
    await offer('2611221130');
    await one.check();
    equal(one.version('vsengine'), '2611221130');
  });

  it('goes back also on nodes that only the provider tells, those too that start later', async () => {
    const provider = await node('n1', { provider: 'n1' });
    const home = scratch('n2');
    const other = await node('n2', { provider: 'n1', directory: home });
    await node('n3', { provider: 'n1' });
    await provider.check();
    await until('all have the old', SOON_MS, everywhere(OLD));
    await offer(NEW);
    await provider.check();
    await until('all have the new', SOON_MS, everywhere(NEW));
    await other.stop();
    nodes.splice(nodes.indexOf(other), 1);
    for (const name of CABINETS) await repository.recall(name, NEW, OLD);
    await repository.publish();
    upload();
    await provider.check();
    await until('the old again', SOON_MS, everywhere(OLD));
    const again = await node('n2', { provider: 'n1', directory: home });
    await again.check();
    await until('the late one, too', SOON_MS, everywhere(OLD));
  });

  const metadata = (name: string) => `${URL}metadata/${name}`;
  const attacks: Array<[what: string, attack: () => Promise<void> | void, reason: RegExp]> = [
    [
      'a tampered cabinet',
      () => spoil('vseng9x', (body) => flip(body)),
      /E_UPDATE_DIGEST|E_DIGEST_MISMATCH/,
    ],
    [
      'a truncated cabinet',
      () => spoil('vseng9x', (body) => body.subarray(0, 99)),
      /E_UPDATE_SIZE|E_DIGEST_MISMATCH/,
    ],
    [
      'another cabinet under its name',
      () => spoil('vseng9x', () => cabinet('vsasap', NEW)),
      /DIGEST|SIZE/,
    ],
    [
      'tampered metadata',
      () => edit('timestamp.json', '"version":', '"version":1'),
      /E_FEED_UNSIGNED/,
    ],
    [
      'a portal page',
      () => void lan.origin.set(metadata('timestamp.json'), { body: '<html>' }),
      /E_FEED_FORMAT/,
    ],
    [
      'endless metadata',
      () => void lan.origin.set(metadata('timestamp.json'), { body: '{', isEndless: true }),
      /E_FEED_LENGTH/,
    ],
    ['no metadata', () => void lan.origin.delete(metadata('timestamp.json')), /E_FEED_STATUS/],
  ];
  for (const [what, attack, reason] of attacks) {
    it(`refuses ${what}, keeps what is in force, says why, and heals`, async () => {
      const one = await node('n1');
      await one.check();
      await offer(NEW);
      await attack();
      equal(await one.check(), 'failed');
      match(failures(one), reason);
      equal(one.version('vseng9x'), OLD);
      ok(installed(one).some((text) => text.includes(`vseng9x ${OLD}`)));
      upload();
      lan.shared.clear();
      equal(await one.check(), 'updated');
      deepEqual(versions(one), Array(6).fill(NEW));
    });
  }

  it('refuses metadata that is rolled back, mixed, frozen, or signed with other keys', async () => {
    const one = await node('n1');
    const before = snapshotOfOrigin();
    await offer(NEW);
    await one.check();
    const after = snapshotOfOrigin();
    const refused = async (change: () => Promise<void> | void, reason: RegExp) => {
      await change();
      equal(await one.check(), 'failed');
      match(failures(one), reason);
      deepEqual(versions(one), Array(6).fill(NEW));
      for (const [url, answer] of after) lan.origin.set(url, answer);
    };
    await refused(() => void restore('timestamp.json', before), /E_FEED_ROLLBACK/);
    await offer('2611221130');
    await refused(async () => {
      const old = lan.origin.get(metadata('3.snapshot.json'));
      if (old !== undefined) lan.origin.set(metadata('4.snapshot.json'), old);
    }, /E_FEED_(MIXED|LENGTH|ROLLBACK)/);
    upload();
    await refused(async () => {
      await repository.publish({ now: new Date(Date.now() - 30 * 24 * 3_600_000) });
      upload();
    }, /E_FEED_EXPIRED/);
    const strange = scratch('strange');
    const stranger = new FeedRepository(strange, scratch('stranger'));
    await refused(async () => {
      await stranger.create();
      for (let round = 0; round < 8; round += 1) await stranger.publish();
      upload(strange);
    }, /E_FEED_(UNSIGNED|MIXED|ROLLBACK)/);
  });

  it('restores from the shipped root when what was kept is torn', async () => {
    const home = scratch('torn');
    const one = await node('n1', { directory: home });
    await one.check();
    await one.stop();
    for (const role of ['root', 'timestamp', 'snapshot', 'targets']) {
      writeFileSync(join(home, 'products/vs/metadata', `${role}.json`), '{"signed":');
    }
    await offer(NEW);
    const again = await node('n2', { directory: home });
    equal(await again.check(), 'updated');
    deepEqual(versions(again), Array(6).fill(NEW));
  });

  function failures(one: TestNode): string {
    const report = one.plugin.running[0]?.agent.reports[0];
    const all = [report?.failure, ...(report?.components ?? []).map(({ failure }) => failure)];
    return all.map((failure) => failure?.code).join(' ');
  }

  function spoil(name: string, change: (body: Buffer) => Buffer): void {
    for (const [url, { body }] of lan.origin) {
      if (url.includes(`${name}/${NEW}/`)) lan.origin.set(url, { body: change(Buffer.from(body)) });
    }
  }

  function edit(name: string, from: string, to: string): void {
    const text = String(lan.origin.get(metadata(name))?.body);
    lan.origin.set(metadata(name), { body: text.replace(from, to) });
  }

  function snapshotOfOrigin() {
    return new Map(lan.origin);
  }

  function restore(name: string, from: ReadonlyMap<string, { body: Uint8Array | string }>): void {
    lan.origin.set(metadata(name), { body: from.get(metadata(name))?.body ?? '' });
  }
});

describe("antivirus: the publisher's program", () => {
  const scratch = useScratch();

  async function run(...args: string[]): Promise<{ code: number; text: string }> {
    let text = '';
    const code = await main(args, (line) => {
      text += line;
    });
    return { code, text };
  }

  it('creates, adds, publishes, recalls, and says what was wrong', async () => {
    const [feed, keys, file] = [scratch('feed'), scratch('keys'), scratch('one.cab')];
    const where = [feed, '--keys', keys];
    equal((await run('create', ...where)).code, 0);
    match((await run('create', ...where)).text, /E_FEED_EXISTS/);
    const root = readFileSync(join(feed, 'metadata/1.root.json'));
    match((await run('create', feed, '--keys', scratch('other'))).text, /E_FEED_EXISTS/);
    deepEqual(readFileSync(join(feed, 'metadata/1.root.json')), root, 'and it is as it was');
    writeFileSync(file, 'MSCF one');
    equal((await run('add', ...where, 'engine', '2', file)).code, 0);
    match((await run('add', ...where, 'engine', '1', file)).text, /E_FEED_VERSION/);
    equal((await run('publish', ...where, '--days', '3')).code, 0);
    equal((await run('recall', ...where, 'engine', '2', '1')).code, 0);
    equal((await run('publish', ...where)).code, 0);
    const names = readdirSync(join(feed, 'targets/engine/2'));
    ok(names[0]?.startsWith(digestOf('MSCF one')));
    equal((await run('publish', scratch('none'), '--keys', scratch('none'))).code, 1);
    equal((await run('sing', ...where)).code, 2);
    equal((await run()).code, 2);
  });
});

function cabinet(name: string, version: string): Buffer {
  return Buffer.from(`MSCF ${name} ${version} `.padEnd(4_000, name));
}

function flip(bytes: Buffer): Buffer {
  bytes[50] = (bytes[50] ?? 0) ^ 1;
  return bytes;
}

function firstRoot(directory: string): Record<string, unknown> {
  const text = readFileSync(join(directory, 'metadata/1.root.json'), 'utf8');
  return JSON.parse(text) as Record<string, unknown>;
}
