/** Mirrors: one upstream at the root of a port, for npm and pip. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { ask, Rig } from './rig.js';

const run = promisify(execFile);

describe('url-cache: a mirror', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start({
      mirrors: [
        { port: 0, upstream: 'https://registry.test/' },
        { port: 0, upstream: 'http://plain.test:8080/deep/index/' },
      ],
    });
  });
  afterEach(() => rig.stop());

  it('asks the upstream for the same path, without our Host', async () => {
    rig.peering.put('https://registry.test/@a%2fb?x=%20y', { body: '{}' });
    const answer = await ask(rig.port(0), '/@a%2fb?x=%20y', {
      headers: { 'accept-encoding': 'gzip', accept: 'application/json' },
    });
    assert.equal(answer.body, '{}');
    const { headers } = rig.peering.last;
    assert.equal(headers?.['host'], undefined);
    assert.equal(headers?.['accept-encoding'], 'gzip');
    assert.equal(headers?.['accept'], 'application/json');
  });

  it('answers to its addresses and names, and to no name that a web page brought along', async () => {
    rig.peering.put('https://registry.test/x', { body: '{}' });
    const statusFor = async (host: string) => {
      return (await ask(rig.port(0), '/x', { headers: { host } })).status;
    };
    const port = rig.port(0);
    const own = ['127.0.0.1', `127.0.0.1:${port}`, `localhost:${port}`, 'LOCALHOST', '[::1]:1'];
    for (const host of [...own, hostname(), '192.0.2.7', 'a.localhost']) {
      assert.equal(await statusFor(host), 200, host);
    }
    for (const host of [
      'evil.test',
      `evil.test:${port}`,
      '127.0.0.1.evil.test',
      'localhost.evil',
    ]) {
      assert.equal(await statusFor(host), 421, host);
    }
    assert.equal(
      (await ask(rig.port(), '/proxy.pac', { headers: { host: 'a.test' } })).status,
      421,
    );
  });

  it('answers to the names of its settings', async () => {
    const mirrors = [{ port: 0, upstream: 'https://registry.test/' }];
    const named = await Rig.start({ mirrors, names: ['Cache.office.test'] });
    named.peering.put('https://registry.test/x', { body: '{}' });
    const headers = { host: `cache.office.test:${named.port(0)}` };
    assert.equal((await ask(named.port(0), '/x', { headers })).status, 200);
    await named.stop();
  });

  it('keeps the path of an upstream that is not at a root', async () => {
    rig.peering.put('http://plain.test:8080/deep/index/simple/six/', { body: 'links' });
    assert.equal((await ask(rig.port(1), '/simple/six/')).body, 'links');
  });

  it('passes headers and redirects on as they are', async () => {
    rig.peering.put('https://registry.test/x', {
      status: 301,
      body: '',
      headers: { location: 'https://registry.test/y', 'x-served-by': 'edge' },
    });
    const answer = await ask(rig.port(0), '/x');
    assert.equal(answer.headers.location, 'https://registry.test/y');
    assert.equal(answer.headers['x-served-by'], 'edge');
  });

  it('forwards uploads and queries by POST to the upstream', async () => {
    const origin = createPlainServer((request, answer) => {
      void text(request).then((body) =>
        answer.end(`${request.url} ${request.headers.host} ${body}`),
      );
    });
    rig.peering.lead('plain.test:8080', await rig.serve(origin));
    const answer = await ask(rig.port(1), '/audit', { method: 'POST', body: 'list' });
    assert.equal(answer.body, '/deep/index/audit plain.test:8080 list');
  });

  it('speaks TLS to the upstream by its name, and refuses a certificate of nobody', async () => {
    const origin = createServer({
      SNICallback: (name, done) => {
        names.push(name);
        done(new Error('no certificate'));
      },
    });
    const names: string[] = [];
    rig.peering.lead('registry.test:443', await rig.serve(origin));
    const failed = once(origin, 'tlsClientError');
    const answer = await ask(rig.port(0), '/-/npm/v1/security', { method: 'POST', body: '{}' });
    await failed;
    assert.deepEqual(names, ['registry.test']);
    assert.equal(answer.headers['peerage-error'], 'E_ORIGIN_UNREACHABLE');
  });

  for (const upstream of ['ftp://a/', 'nonsense', 'http://u:p@a/', 'http://a/?q', 'http://a/#f']) {
    it(`refuses the upstream ${upstream}`, async () => {
      await assert.rejects(Rig.start({ mirrors: [{ port: 0, upstream }] }), {
        code: 'E_MIRROR_INVALID',
      });
    });
  }
});

describe('url-cache: npm through a mirror', function () {
  this.timeout(60_000);
  let rig: Rig;
  let folder: string;

  before(async () => {
    rig = await Rig.start({ mirrors: [{ port: 0, upstream: 'https://registry.test/' }] });
    folder = await mkdtemp(join(tmpdir(), 'peerage-npm-'));
  });
  after(async () => {
    await rig.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const npm = (directory: string, ...words: string[]) => {
    const registry = `http://127.0.0.1:${rig.port(0)}/`;
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--no-update-notifier'];
    const options = ['--registry', registry, '--replace-registry-host', 'always', ...quiet];
    const own = ['--cache', join(directory, 'cache'), '--userconfig', join(folder, 'npmrc')];
    return run('npm', [...words, ...options, ...own], { cwd: directory });
  };

  const installed = (project: string) => join(project, 'node_modules', 'tiny', 'index.js');

  /** A package with one file, as the registry would describe and serve it. */
  async function publish(name: string): Promise<void> {
    const source = join(folder, 'source');
    await mkdir(source);
    const manifest = { name, version: '1.0.0', main: 'index.js' };
    await writeFile(join(source, 'package.json'), JSON.stringify(manifest));
    await writeFile(join(source, 'index.js'), 'module.exports = 42;\n');
    await npm(source, 'pack', '--silent');
    const tarball = await readFile(join(source, `${name}-1.0.0.tgz`));
    const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
    const url = `https://registry.test/${name}/-/${name}-1.0.0.tgz`;
    const dist = { tarball: url, integrity };
    const packument = {
      name,
      'dist-tags': { latest: '1.0.0' },
      versions: { '1.0.0': { ...manifest, dist } },
    };
    const headers = { 'content-type': 'application/json' };
    rig.peering.put(`https://registry.test/${name}`, { body: JSON.stringify(packument), headers });
    rig.peering.put(url, { body: tarball, source: 'peer' });
  }

  it('installs, and installs again from a lockfile made elsewhere', async () => {
    await publish('tiny');
    const project = join(folder, 'project');
    await mkdir(project);
    await writeFile(join(project, 'package.json'), '{"name":"p","version":"1.0.0"}');
    await npm(project, 'install', 'tiny');
    assert.equal(await readFile(installed(project), 'utf8'), 'module.exports = 42;\n');
    const tarball = rig.peering.requests.find(({ url }) => url.endsWith('.tgz'));
    assert.equal(tarball?.policy?.immutable, true);
    assert.equal(tarball?.policy?.digest?.algorithm, 'sha512');

    for (const omit of ['true', 'false']) {
      await rm(join(project, 'package-lock.json'));
      await npm(project, 'install', '--omit-lockfile-registry-resolved', omit);
      await reinstall(project);
    }
  });

  /** Installs from the lockfile alone, whose URLs, if it has any, are of another registry. */
  async function reinstall(project: string): Promise<void> {
    const lock = join(project, 'package-lock.json');
    const hosts = /(?<="resolved": ")https?:\/\/[^/]+\//g;
    const elsewhere = (await readFile(lock, 'utf8')).replace(hosts, 'https://elsewhere.test/');
    await writeFile(lock, elsewhere);
    await rm(join(project, 'cache'), { recursive: true });
    await rm(join(project, 'node_modules'), { recursive: true });
    rig.peering.requests.length = 0;
    await npm(project, 'ci');
    assert.equal(await readFile(installed(project), 'utf8'), 'module.exports = 42;\n');
    const tarball = rig.peering.requests.some(({ url }) => url.endsWith('.tgz'));
    assert.equal(tarball, true, 'npm must have come through the mirror');
  }
});

describe('url-cache: pip through a mirror', function () {
  this.timeout(60_000);

  it('downloads a wheel that the index links to', async function () {
    const folder = await mkdtemp(join(tmpdir(), 'peerage-pip-'));
    const rig = await Rig.start({ mirrors: [{ port: 0, upstream: 'https://index.test/' }] });
    try {
      const name = 'tiny-1.0-py3-none-any.whl';
      const wheel = await buildWheel(join(folder, name)).catch(() => this.skip());
      const digest = createHash('sha256').update(wheel).digest('hex');
      const link = `<a href="../../packages/aa/${name}#sha256=${digest}">${name}</a>`;
      rig.peering
        .put('https://index.test/simple/tiny/', {
          body: `<!DOCTYPE html><html><body>${link}</body></html>`,
          headers: { 'content-type': 'text/html' },
        })
        .put(`https://index.test/packages/aa/${name}`, { body: wheel });
      const index = `http://127.0.0.1:${rig.port(0)}/simple`;
      const quiet = ['--isolated', '--no-cache-dir', '--disable-pip-version-check', '--no-deps'];
      const words = ['-m', 'pip', 'download', ...quiet, '--index-url', index, 'tiny'];
      await mkdir(join(folder, 'out'));
      await run('python3', words, { cwd: join(folder, 'out') });
      assert.deepEqual(await readFile(join(folder, 'out', name)), wheel);
      assert.equal(rig.peering.last.policy?.immutable, true);
    } finally {
      await rig.stop();
      await rm(folder, { recursive: true });
    }
  });
});

/** A wheel without content; fails where there is no pip. */
async function buildWheel(path: string): Promise<Buffer> {
  const metadata = 'Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n';
  const kind = 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n';
  const program = `
import sys, zipfile, pip
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("tiny-1.0.dist-info/METADATA", sys.argv[2])
    wheel.writestr("tiny-1.0.dist-info/WHEEL", sys.argv[3])
    wheel.writestr("tiny-1.0.dist-info/RECORD", "")
`;
  await run('python3', ['-c', program, path, metadata, kind]);
  return readFile(path);
}
