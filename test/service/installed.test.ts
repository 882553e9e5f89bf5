/**
 * The node as it is installed: packages packed and laid out as a global install does (each with
 * dependencies of its own), the systemd unit, and what a service manager is told.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { useScratch } from '../fakes/scratch.js';
import { ROOT } from '../repository/source.js';
import { jsonOf, peerage } from './program.js';

const PROGRAM = join(ROOT, 'core', 'bin', 'peerage.js');
const { PATH = '' } = process.env;
const has = (command: string) => spawnSync(command, ['--version']).status === 0;

/** Copies a package's dependencies, and theirs, into its own node_modules. */
function copyDependencies(target: string): void {
  const wanted = [target];
  for (const directory of wanted) {
    const text = readFileSync(join(directory, 'package.json'), 'utf8');
    const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
    for (const name of Object.keys(dependencies)) {
      const place = join(target, 'node_modules', name);
      if (name.startsWith('@peerage/') || existsSync(place)) continue;
      const nested = join(directory, 'node_modules', name);
      const source = existsSync(nested) ? nested : join(ROOT, 'node_modules', name);
      cpSync(source, place, { recursive: true, dereference: true });
      wanted.push(place);
    }
  }
}

/** The packages in a prefix of their own, as `npm install -g` of the packed files leaves them. */
function installPacked(prefix: string): string {
  const packages = {
    '@peerage/sdk': 'sdk',
    '@peerage/core': 'core',
    '@peerage/url-cache': 'url-cache',
  };
  const packed = join(prefix, 'packed');
  mkdirSync(packed, { recursive: true });
  const words = Object.keys(packages).flatMap((name) => ['-w', name]);
  execFileSync('npm', ['pack', '--silent', '--pack-destination', packed, ...words], { cwd: ROOT });
  for (const [name, short] of Object.entries(packages)) {
    const target = join(prefix, 'lib', 'node_modules', name);
    mkdirSync(target, { recursive: true });
    const file = join(packed, `peerage-${short}-0.1.0.tgz`);
    execFileSync('tar', ['xzf', file, '--strip-components=1', '-C', target]);
    copyDependencies(target);
  }
  return join(prefix, 'lib', 'node_modules', '@peerage', 'core', 'bin', 'peerage.js');
}

/** The first line of a process that fits. */
async function lineOf(child: ChildProcess, fits: (line: string) => boolean): Promise<string> {
  assert.ok(child.stdout !== null);
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) if (fits(line)) return line;
  throw new Error('it ended without the line');
}

describe('the packed packages', function () {
  this.timeout(120_000);
  const scratch = useScratch();

  it('run where nothing of the repository is, the plugin too', async function () {
    if (!has('npm') || !has('tar')) this.skip();
    const program = installPacked(scratch('prefix'));
    const state = scratch('s');
    mkdirSync(state);
    const settings = { listen: { address: '127.0.0.1', port: 0 } };
    const plugins = { 'url-cache': { use: '@peerage/url-cache', settings } };
    writeFileSync(join(state, 'plugins.json'), JSON.stringify({ plugins }));
    const env = { PATH, HOME: state };
    const version = spawnSync(process.execPath, [program, '--version'], { cwd: state, env });
    assert.match(version.stdout.toString(), /^\d+\.\d+\.\d+\n$/);
    const words = [program, 'start', '--state', state];
    const node = spawn(process.execPath, words, { cwd: state, env });
    const line = await lineOf(node, (text) => /"plugin-(active|failed)"/.test(text));
    assert.match(line, /"plugin-active"/, line);
    node.kill('SIGTERM');
    const [code] = (await once(node, 'exit')) as [number];
    assert.equal(code, 0);
  });
});

describe('peerage service', function () {
  this.timeout(120_000);
  const scratch = useScratch();

  it('writes a unit that systemd finds in order and well confined', async function () {
    if (!has('systemd-analyze')) this.skip();
    const file = join(scratch('unit'), 'peerage.service');
    const outcome = await peerage('service', 'install', '--file', file, '--json');
    const judged = jsonOf<{ valid: boolean; exposure: number; enabled: boolean }>(outcome);
    assert.deepEqual([judged.valid, judged.enabled], [true, false]);
    assert.ok(judged.exposure <= 2, String(judged.exposure));
    assert.equal((await peerage('service', 'uninstall', '--file', file)).code, 0);
    assert.equal(existsSync(file), false);
  });

  it('says ready, then again and again that it lives, then that it stops', async function () {
    if (!has('systemd-notify') || !has('python3')) this.skip();
    const directory = scratch('s');
    mkdirSync(directory);
    const socket = join(directory, 'notify');
    const listener = [
      'import socket, sys',
      's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)',
      's.bind(sys.argv[1])',
      'print("bound", flush=True)',
      'while True: print(s.recv(4096).decode().replace("\\n", " "), flush=True)',
    ].join('\n');
    const manager = spawn('python3', ['-c', listener, socket]);
    try {
      const heard: string[] = [];
      const lines = createInterface({ input: manager.stdout })[Symbol.asyncIterator]();
      const until = async (word: string) => {
        while (heard.at(-1)?.includes(word) !== true) heard.push((await lines.next()).value ?? '');
      };
      await until('bound');
      const env = { PATH, HOME: directory, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' };
      const words = [PROGRAM, 'start', '--state', join(directory, 'state')];
      writeFileSync(join(directory, 'plugins.json'), '{}');
      const node = spawn(process.execPath, words, { env, cwd: directory, stdio: 'ignore' });
      await until('READY=1');
      await until('WATCHDOG=1');
      node.kill('SIGTERM');
      await until('STOPPING=1');
      const [code] = (await once(node, 'exit')) as [number];
      assert.equal(code, 0);
    } finally {
      manager.kill();
    }
  });
});
