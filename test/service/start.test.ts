/** A node's start and end as an administrator sees them, in real processes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { contentOf } from '../fakes/content.js';
import { LoopbackOrigin } from '../fakes/origin.js';
import { useScratch } from '../fakes/scratch.js';
import { isAlive, pluginSource, SDK_DIRECTORY } from '../host/rig.js';
import { peerage, useNodes } from './program.js';

const LOOPBACK = { core: { originAllow: ['127.0.0.0/8'] } };

/** The number of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

describe('a node with nothing configured', function () {
  this.timeout(120_000);
  const scratch = useScratch();
  const { start } = useNodes();

  it('is ready, in a group of one, and opens nothing to the LAN', async () => {
    const directory = scratch('n');
    const node = await start(directory);
    const ready = await node.until('ready');
    assert.match(String(ready['group']), /group of one/);
    assert.match(String(ready['next']), /peerage ca init/);
    const mode = async (name: string) => (await stat(join(directory, name))).mode & 0o777;
    assert.equal(await mode('solo.pem'), 0o600);
    assert.equal(await mode('control.sock'), 0o600);
    assert.equal(await mode('status.sock'), 0o666);
    const status = await node.json<Record<string, unknown>>('status');
    assert.deepEqual([status['solo'], status['peers'], status['plugins']], [true, 0, []]);
    assert.deepEqual((status['lan'] as { interfaces: string[] }).interfaces, []);
    for (const view of [['peers'], ['downloads'], ['plugins', 'list'], ['cache', 'list']]) {
      assert.deepEqual(await node.json(...view), [], view.join(' '));
      const text = await node.run(...view);
      assert.deepEqual([text.code, text.stdout.toString().split('\n').length], [0, 2]);
    }
    const text = (await node.run('status')).stdout.toString();
    assert.match(text, /^node +\S+ \(\S{22}\), version/);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`stops within five seconds of ${signal}, gives its lock back, and starts again`, async () => {
      const directory = scratch('n');
      const first = await start(directory);
      const { kid } = await first.json<{ kid: string }>('status');
      const startedAt = performance.now();
      const { code } = await first.stop(signal);
      assert.ok(performance.now() - startedAt < 5000);
      assert.equal(code, 0);
      assert.deepEqual(first.lines.at(-1)?.event, 'stopped');
      assert.ok(!(await readdir(directory)).some((name) => name.startsWith('lock')));
      const second = await start(directory);
      assert.equal((await second.json<{ kid: string }>('status')).kid, kid, 'it is the same node');
    });
  }

  it('keeps what it has stored, also when it is killed', async () => {
    const origin = await LoopbackOrigin.start();
    const content = contentOf('kept', 700_000);
    origin.serve('/a', { content, headers: { 'cache-control': 'max-age=600' } });
    const directory = scratch('n');
    for (const [signal, source] of [
      ['SIGKILL', 'origin'],
      ['SIGTERM', 'hit'],
      ['SIGKILL', 'hit'],
    ] as const) {
      const node = await start(directory, LOOPBACK);
      const file = join(directory, 'out');
      const got = await node.json<{ source: string }>('get', origin.url('/a'), '-o', file);
      assert.equal(got.source, source);
      assert.ok((await readFile(file)).equals(content));
      while ((await node.json<unknown[]>('cache', 'list')).length === 0) await turn();
      await node.stop(signal);
    }
    assert.equal(origin.count('/a'), 1);
    await origin.close();
  });
});

describe('a second node in the same directory', function () {
  this.timeout(120_000);
  const scratch = useScratch();
  const { start, launch } = useNodes();

  it('is refused, and does the first no harm', async () => {
    const directory = scratch('n');
    const first = await start(directory);
    const { code, stderr } = await (await launch(directory)).exited;
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`process ${first.child.pid}\\b.*\\[E_ALREADY_RUNNING\\]`));
    assert.equal((await first.run('status')).code, 0);
    assert.equal((await first.stop()).code, 0);
  });

  it('is one of five that start at once, and one alone is ready', async () => {
    const directory = scratch('n');
    await mkdir(directory);
    await writeFile(join(directory, 'lock'), String(await deadPid()));
    const nodes = await Promise.all(Array.from({ length: 5 }, () => launch(directory)));
    const outcomes = await Promise.all(
      nodes.map((node) =>
        node.until('ready').then(
          () => 'ready',
          () => node.exited.then(({ stderr }) => /\[(E_[A-Z_]+)\]/.exec(stderr)?.[1]),
        ),
      ),
    );
    assert.deepEqual(outcomes.sort(), [...Array(4).fill('E_ALREADY_RUNNING'), 'ready']);
  });

  it('takes the lock of one that is gone, whatever is in it', async () => {
    for (const lock of [String(await deadPid()), '', 'garbage', '-1', '0', '99999999999']) {
      const directory = scratch('n');
      await mkdir(directory);
      await writeFile(join(directory, 'lock'), lock);
      const node = await start(directory);
      assert.equal(await readFile(join(directory, 'lock'), 'utf8'), String(node.child.pid));
      await node.stop('SIGKILL');
    }
  });
});

describe('a node that cannot start', function () {
  this.timeout(120_000);
  const scratch = useScratch();

  /** Starts with this plugins.json; it must fail, and leave nothing. */
  async function refused(text: string, code: string, says: RegExp): Promise<void> {
    const directory = scratch('n');
    const file = `${directory}.json`;
    await writeFile(file, text);
    const outcome = await peerage('start', '--state', directory, '--config', file);
    assert.equal(outcome.code, 1, text);
    assert.ok(outcome.stderr.includes(`[${code}]`), `${text}: ${outcome.stderr}`);
    assert.match(outcome.stderr.replaceAll(file, 'plugins.json'), says);
    assert.ok(!outcome.stderr.includes('    at '), 'a message, not a stack');
    const left = await readdir(directory).catch(() => [] as string[]);
    const running = left.filter((name) => name.startsWith('lock') || name.endsWith('.sock'));
    assert.deepEqual(running, [], 'nothing is half-started');
  }

  const faults: Array<[what: string, text: string, says: RegExp]> = [
    ['is no JSON', '{\n  "core": {\n', /plugins\.json:3: not JSON/],
    ['is empty', '', /plugins\.json:1: not JSON/],
    ['is a list', '[]', /plugins\.json:1: .*object/],
    [
      'has an unknown key',
      '{\n"core": {\n"objectPrt": 1 } }',
      /plugins\.json:3: unknown key "core\.objectPrt"; did you mean "objectPort"/,
    ],
    [
      'has a wrong type',
      '{\n"core": { "internet": "yes" } }',
      /plugins\.json:2: "core\.internet" must be boolean/,
    ],
    [
      'has a wrong choice',
      '{ "core":\n{ "roles": "all" } }',
      /plugins\.json:2: .*both, client, server/,
    ],
    [
      'has a port that is none',
      '{ "core": { "packetPort": 70000 } }',
      /plugins\.json:1: "core\.packetPort"/,
    ],
    [
      'has a plugin without a package',
      '{ "plugins": {\n"demo": {} } }',
      /plugins\.json:2: "plugins\.demo" .*'use'/,
    ],
    ['has a network that is none', '{ "core": { "originAllow": ["10.0.0.0/99"] } }', /originAllow/],
  ];
  for (const [what, text, says] of faults) {
    it(`says where plugins.json is wrong: it ${what}`, () =>
      refused(text, 'E_CONFIG_INVALID', says));
  }

  it('says which plugin is not there', async () => {
    const text = '{ "plugins": { "demo": { "use": "@nobody/nothing" } } }';
    await refused(text, 'E_PLUGIN_NOT_FOUND', /@nobody\/nothing/);
  });

  it('says what is wrong with its directories and its identity', async () => {
    const file = scratch('file');
    await writeFile(file, 'x');
    const config = scratch('config');
    await writeFile(config, JSON.stringify({ core: { storeDirectory: file }, plugins: {} }));
    const bad = scratch('bad');
    await mkdir(bad);
    await writeFile(join(bad, 'identity.pem'), 'no identity');
    const long = join(scratch('n'), 'x'.repeat(100));
    for (const [directory, code] of [
      [file, 'E_STATE_UNUSABLE'],
      [join(file, 'state'), 'E_STATE_UNUSABLE'],
      [long, 'E_STATE_UNUSABLE'],
      [bad, 'E_IDENTITY_INVALID'],
      [scratch('n'), 'E_STORE_UNUSABLE'],
    ] as const) {
      const { code: status, stderr } = await peerage(
        'start',
        '--state',
        directory,
        '--config',
        config,
      );
      assert.deepEqual([status, /\[(\w+)\]/.exec(stderr)?.[1]], [1, code], stderr);
    }
    const nowhere = await peerage('start', '--state', scratch('n'), '--config', join(file, 'no'));
    assert.match(nowhere.stderr, /\[E_CONFIG_UNREADABLE\]/);
  });
});

describe('the core that is killed', function () {
  this.timeout(120_000);
  const scratch = useScratch();
  const { start } = useNodes();

  /** A plugin that keeps a connection to us open, as long as it lives. */
  async function startWithPlugin(directory: string) {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const demo = join(directory, 'demo');
    await mkdir(join(demo, 'node_modules', '@peerage'), { recursive: true });
    await symlink(SDK_DIRECTORY, join(demo, 'node_modules', '@peerage', 'sdk'));
    const body = `activate() { process.getBuiltinModule('node:net').connect(${port}, '127.0.0.1'); }`;
    await writeFile(join(demo, 'plugin.js'), pluginSource([], body));
    const peerage = { api: 1, id: 'demo', urls: [], settings: { type: 'object' } };
    const manifest = { type: 'module', main: 'plugin.js', peerage };
    await writeFile(join(demo, 'package.json'), JSON.stringify(manifest));
    const connected = once(server, 'connection');
    const node = await start(directory, { plugins: { demo: { use: './demo' } } });
    const [socket] = await connected;
    const [{ pid, state }] = await node.json<[{ pid: number; state: string }]>('plugins', 'list');
    assert.equal(state, 'active');
    socket.resume();
    const gone = new Promise<void>((resolve) => {
      socket.on('error', () => undefined);
      socket.once('close', () => resolve());
    });
    server.close();
    return { node, pid, gone };
  }

  it('leaves no plugin behind', async () => {
    const { node, pid, gone } = await startWithPlugin(scratch('n'));
    await node.stop('SIGKILL');
    await gone;
    while (isAlive(pid)) await turn();
  });

  it('nor does one that stops', async () => {
    const { node, pid } = await startWithPlugin(scratch('n'));
    const { code } = await node.stop('SIGTERM');
    assert.equal(code, 0);
    assert.equal(isAlive(pid), false);
  });
});
