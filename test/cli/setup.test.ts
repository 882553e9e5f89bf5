/** `peerage setup`: what it writes is what the clients themselves read, and undoing is exact. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { useScratch } from '../fakes/scratch.js';
import { jsonOf, peerage } from '../service/program.js';

const CONFIGURATION = {
  plugins: {
    'url-cache': {
      use: '@peerage/url-cache',
      settings: {
        listen: { address: '127.0.0.1', port: 6599 },
        mirrors: [{ port: 6517, upstream: 'https://registry.example/' }],
      },
    },
  },
};

describe('peerage setup', function () {
  this.timeout(120_000);
  const scratch = useScratch();
  let state: string;
  beforeEach(async () => {
    state = scratch('s');
    await mkdir(state);
    await writeFile(join(state, 'plugins.json'), JSON.stringify(CONFIGURATION));
  });
  const setup = (...words: string[]) => peerage('setup', ...words, '--state', state);
  const exists = (path: string) =>
    stat(path).then(
      () => true,
      () => false,
    );

  it('shows without writing', async () => {
    const file = join(state, 'npmrc');
    const { code, stdout } = await setup('npm', '--file', file);
    assert.equal(code, 0);
    assert.match(stdout.toString(), /registry=http:\/\/127\.0\.0\.1:6517\/.*--write/s);
    assert.equal(await exists(file), false);
  });

  it('writes what npm reads, once, and takes it back to the byte', async function () {
    if (spawnSync('npm', ['--version']).status !== 0) this.skip();
    const file = join(state, 'npmrc');
    const text = 'registry=https://old.example/\nfund=false';
    await writeFile(file, text, { mode: 0o600 });
    const read = (key: string) => {
      const npm = spawnSync('npm', ['config', 'get', key, '--userconfig', file], { cwd: state });
      return npm.stdout.toString().trim();
    };
    assert.equal((await setup('npm', '--file', file, '--write')).code, 0);
    assert.equal(read('registry'), 'http://127.0.0.1:6517/');
    assert.equal(read('fund'), 'false');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const again = jsonOf<{ changed: number }>(
      await setup('npm', '--file', file, '--write', '--json'),
    );
    assert.equal(again.changed, 0);
    await setup('npm', '--file', file, '--undo');
    assert.equal(await readFile(file, 'utf8'), text);
    assert.equal(read('registry'), 'https://old.example/');
  });

  it('writes what apt reads: a program that says DIRECT while no cache answers', async function () {
    if (spawnSync('apt-config', ['--version']).status !== 0) this.skip();
    const file = join(state, 'apt', 'apt.conf.d', '30peerage');
    assert.equal((await setup('apt', '--file', file, '--write')).code, 0);
    const config = spawnSync('apt-config', ['dump', 'Acquire::http::Proxy-Auto-Detect'], {
      env: { PATH: process.env['PATH'], APT_CONFIG: file },
    });
    const program = /Proxy-Auto-Detect "(.+)";/.exec(config.stdout.toString())?.[1] ?? '';
    assert.match(await readFile(program, 'utf8'), /127\.0\.0\.1:6599/);
    const said = spawnSync(program, ['http://deb.example/']);
    assert.deepEqual([said.status, said.stdout.toString()], [0, 'DIRECT\n']);
    assert.equal((await setup('apt', '--file', file, '--undo')).code, 0);
    assert.deepEqual([await exists(file), await exists(program)], [false, false]);
  });

  it('writes what pip reads, into the section that is there', async function () {
    const pip = (...words: string[]) =>
      spawnSync('python3', ['-m', 'pip', ...words], {
        env: { PATH: process.env['PATH'], HOME: state, PIP_CONFIG_FILE: join(state, 'pip.conf') },
      });
    if (pip('--version').status !== 0) this.skip();
    const file = join(state, 'pip.conf');
    const text = '[global]\nindex-url = https://old.example/simple\ntimeout = 7\n';
    await writeFile(file, text);
    await setup('pip', '--file', file, '--write');
    const read = pip('config', 'list').stdout.toString();
    assert.match(read, /^global\.index-url='http:\/\/127\.0\.0\.1:6517\/simple'$/m);
    assert.match(read, /^global\.timeout='7'$/m);
    await setup('pip', '--file', file, '--undo');
    assert.equal(await readFile(file, 'utf8'), text);
  });

  it('writes what a shell and freshclam read, and leaves no file that it made', async () => {
    const profile = join(state, 'profile.d', 'peerage.sh');
    await setup('env', '--file', profile, '--write');
    const shell = spawnSync('sh', ['-c', `. ${profile}; echo $http_proxy`]);
    assert.equal(shell.stdout.toString(), 'http://127.0.0.1:6599\n');
    const clam = join(state, 'freshclam.conf');
    await setup('freshclam', '--file', clam, '--write');
    assert.match(
      await readFile(clam, 'utf8'),
      /^HTTPProxyServer 127\.0\.0\.1\nHTTPProxyPort 6599$/m,
    );
    for (const [client, file] of [
      ['env', profile],
      ['freshclam', clam],
    ] as const) {
      await setup(client, '--file', file, '--undo');
      assert.equal(await exists(file), false, client);
      assert.equal((await setup(client, '--file', file, '--undo')).code, 0, 'undone twice');
    }
  });

  it('refuses what it cannot do, each with its code', async () => {
    const codeOf = async (...words: string[]) => {
      const { code, stderr } = await setup(...words);
      return [code, /\[(E_[A-Z_]+)\]/.exec(stderr)?.[1]];
    };
    assert.deepEqual(await codeOf('emacs'), [2, 'E_USAGE']);
    assert.deepEqual(await codeOf('constructor'), [2, 'E_USAGE']);
    assert.deepEqual(await codeOf('npm', '--write', '--undo'), [2, 'E_USAGE']);
    assert.deepEqual(await codeOf('npm', '--mirror', '9'), [1, 'E_SETUP_MIRROR']);
    const nowhere = join(state, 'plugins.json', 'x');
    assert.deepEqual(await codeOf('env', '--file', nowhere), [1, 'E_SETUP_UNWRITABLE']);
  });
});
