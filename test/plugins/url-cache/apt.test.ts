/** apt: the script that finds the proxy, and apt itself where it is installed. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createBareServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ask, Rig } from './rig.js';

const run = promisify(execFile);
const PACKAGE = fileURLToPath(import.meta.resolve('@peerage/url-cache/package.json'));
const SCRIPT = join(dirname(PACKAGE), 'clients', 'apt-proxy-detect');
const URL_TEXT = 'http://mirror.test/debian/';

describe('url-cache: the proxy detection of apt', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start();
  });
  afterEach(() => rig.stop());

  const detect = async (proxy: string | number, url = URL_TEXT, program = SCRIPT) => {
    const env = { ...process.env, PEERAGE_PROXY: String(proxy) };
    return (await run('sh', [program, url], { env })).stdout.trim();
  };
  const address = () => `127.0.0.1:${rig.port()}`;

  it('prints the proxy when it is up, however it is written', async () => {
    const expected = `http://${address()}`;
    assert.equal(await detect(address()), expected);
    assert.equal(await detect(`http://${address()}/`), expected);
  });

  it('can be run as a program, as apt does', async () => {
    const env = { ...process.env, PEERAGE_PROXY: address() };
    const { stdout } = await run(SCRIPT, [URL_TEXT], { env });
    assert.equal(stdout, `http://${address()}\n`);
  });

  it('prints DIRECT when it is down', async () => {
    assert.equal(await detect('127.0.0.1:1'), 'DIRECT');
    assert.equal(await detect('nonsense'), 'DIRECT');
  });

  it('prints DIRECT for https', async () => {
    assert.equal(await detect(address(), 'https://mirror.test/debian/'), 'DIRECT');
    assert.equal(await detect(address(), 'HTTPS://mirror.test/debian/'), 'DIRECT');
  });

  it('prints DIRECT when another program has the port', async () => {
    const other = createServer((_request, answer) => void answer.end('// not ours'));
    assert.equal(await detect(`127.0.0.1:${await rig.serve(other)}`), 'DIRECT');
  });

  it('prints DIRECT within two seconds when the port answers nothing', async () => {
    const port = await rig.serve(createBareServer((socket) => void socket.resume()));
    const start = Date.now();
    assert.equal(await detect(`127.0.0.1:${port}`), 'DIRECT');
    assert.equal(Date.now() - start < 2_000, true);
  });

  it('works as the proxy serves it, without being told the address', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'peerage-apt-'));
    try {
      const program = join(folder, 'detect');
      await writeFile(program, (await ask(rig.port(), '/apt-proxy-detect')).body);
      assert.equal(await detect('', URL_TEXT, program), `http://${address()}`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('lets apt itself update and download through the cache', async function () {
    this.timeout(30_000);
    try {
      await run('apt-get', ['--version']);
    } catch {
      this.skip();
    }
    const folder = await mkdtemp(join(tmpdir(), 'peerage-apt-'));
    try {
      const archive = publish(rig);
      const apt = await aptIn(folder, address());
      await apt('update');
      await apt('download', 'tiny');
      const { requests } = rig.peering;
      const seen = (part: string) => requests.find(({ url }) => url.includes(part));
      assert.deepEqual(seen('/InRelease')?.policy, { clientVerifies: true });
      assert.equal(seen('/by-hash/SHA256/')?.policy?.digest?.hex, archive.indexDigest);
      assert.equal(seen('.deb')?.policy?.immutable, true);
      requests.length = 0;
      await apt('update');
      assert.equal(seen('/by-hash/'), undefined, 'an unchanged index is not fetched again');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** An archive with one package, whose file is not a real package: apt only compares digests. */
function publish(rig: Rig): { indexDigest: string } {
  const root = 'http://mirror.test/debian';
  const digest = (content: string) => createHash('sha256').update(content).digest('hex');
  const file = 'pool/main/t/tiny/tiny_1.0%2b1_all.deb';
  const content = 'the package';
  const index = `Package: tiny
Version: 1.0+1
Architecture: all
Maintainer: Nobody <nobody@example.org>
Filename: ${file.replace('%2b', '+')}
Size: ${content.length}
SHA256: ${digest(content)}
Description: a package for a test
`;
  const path = 'main/binary-amd64/Packages';
  const date = 'Sun, 01 Nov 2026 10:00:00 GMT';
  const release = `Origin: Test
Suite: stable
Codename: stable
Date: ${date}
Architectures: amd64
Components: main
Acquire-By-Hash: yes
SHA256:
 ${digest(index)} ${index.length} ${path}
`;
  const missing = { status: 404, body: 'no such file' };
  rig.peering
    .put(`${root}/dists/stable/InRelease`, missing)
    .put(`${root}/dists/stable/Release.gpg`, missing)
    .put(`${root}/dists/stable/Release`, { body: release, headers: { 'last-modified': date } })
    .put(`${root}/dists/stable/main/binary-amd64/by-hash/SHA256/${digest(index)}`, { body: index })
    .put(`${root}/${file}`, { body: content })
    .put(`${root}/${file.replace('%2b', '+')}`, { body: content });
  return { indexDigest: digest(index) };
}

/** apt with a root of its own, so that it needs no rights and touches nothing of the machine. */
async function aptIn(
  folder: string,
  proxy: string,
): Promise<(...words: string[]) => Promise<unknown>> {
  const list = join(folder, 'sources.list');
  for (const name of ['state/lists/partial', 'cache/archives/partial', 'etc', 'log']) {
    await mkdir(join(folder, name), { recursive: true });
  }
  await writeFile(list, `deb [trusted=yes arch=amd64] ${URL_TEXT} stable main\n`);
  await writeFile(join(folder, 'status'), '');
  const configuration = join(folder, 'apt.conf');
  await writeFile(
    configuration,
    `Dir::State "${folder}/state";
Dir::State::status "${folder}/status";
Dir::Cache "${folder}/cache";
Dir::Etc::sourcelist "${list}";
Dir::Etc::sourceparts "-";
Dir::Etc::parts "${folder}/etc";
Dir::Etc::main "-";
Dir::Log "${folder}/log";
Acquire::http::Proxy-Auto-Detect "${SCRIPT}";
Acquire::Languages "none";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "";
`,
  );
  const env = { ...process.env, APT_CONFIG: configuration, PEERAGE_PROXY: proxy };
  return (...words) => run('apt-get', ['--quiet', ...words], { env, cwd: folder });
}
