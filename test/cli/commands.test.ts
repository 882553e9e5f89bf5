/** The commands as a shell sees them: output, errors, exit codes, files. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { collect, contentOf, sha256Of } from '../fakes/content.js';
import { LoopbackOrigin } from '../fakes/origin.js';
import { useScratch } from '../fakes/scratch.js';
import { jsonOf, NodeProcess, type Outcome, peerage, peerageIn } from '../service/program.js';

const codeIn = ({ stderr }: Outcome) => /\[(E_[A-Z_]+)\]/.exec(stderr)?.[1];

describe('a command used wrongly', function () {
  this.timeout(120_000);
  const scratch = useScratch();
  const wrong = [
    ['nonsense'],
    ['get'],
    ['cache', 'eat', 'http://a.example/'],
    ['cache', 'pin'],
    ['plugins', 'install', 'x'],
    ['plugins', 'enable'],
    ['ca', 'sign'],
    ['ca', 'issue'],
    ['ca', 'issue', 'name'],
    ['ca', 'init', '--days', '0'],
    ['ca', 'init', '--days', 'many'],
    ['status', '--unknown'],
    ['get', '--sha256'],
  ];

  it('ends with 2, says so in one line, or as JSON, and does nothing', async () => {
    const state = scratch('s');
    const outcomes = await Promise.all(wrong.map((words) => peerage(...words, '--state', state)));
    for (const [i, outcome] of outcomes.entries()) {
      const words = (wrong[i] ?? []).join(' ');
      assert.deepEqual([outcome.code, codeIn(outcome)], [2, 'E_USAGE'], words);
      assert.match(outcome.stderr, /^peerage: [^\n]+; see `peerage --help` \[E_USAGE\]\n$/, words);
      assert.equal(outcome.stdout.length, 0);
    }
    assert.deepEqual(await readdir(state).catch(() => []), []);
    const { stderr } = await peerage('nonsense', '--json');
    assert.equal((JSON.parse(stderr) as { code: string }).code, 'E_USAGE');
  });

  it('ends with 2 and the usage without a word; with 0 where that was asked for', async () => {
    const [bare, help, version] = await Promise.all([
      peerage(),
      peerage('--help'),
      peerage('--version'),
    ]);
    assert.deepEqual([bare.code, help.code, version.code], [2, 0, 0]);
    assert.ok(bare.stdout.equals(help.stdout));
    assert.match(version.stdout.toString(), /^\d+\.\d+\.\d+\n$/);
  });

  it('ends with 3 where no node runs', async () => {
    const state = scratch('s');
    const commands = [['status'], ['peers'], ['downloads'], ['plugins', 'list'], ['cache', 'list']];
    const more = [
      ['get', 'http://a.example/'],
      ['cache', 'purge', 'http://a.example/'],
    ];
    for (const words of [...commands, ...more]) {
      const outcome = await peerage(...words, '--state', state);
      assert.deepEqual([outcome.code, codeIn(outcome)], [3, 'E_NOT_RUNNING'], words.join(' '));
    }
  });
});

describe('peerage get', function () {
  this.timeout(120_000);
  const scratch = useScratch();
  const content = contentOf('get', 2_000_000);
  let node: NodeProcess;
  let origin: LoopbackOrigin;
  before(async () => {
    origin = await LoopbackOrigin.start();
    const headers = { 'cache-control': 'max-age=600', etag: '"a"' };
    origin.serve('/a', { content, headers });
    origin.serve('/broken', { content, headers: {}, breaks: [1_000_000, 1_000_000, 1_000_000] });
    node = await NodeProcess.start(scratch('n'), { core: { originAllow: ['127.0.0.0/8'] } });
  });
  after(async () => {
    await node.stop();
    await origin.close();
  });

  it('writes to a file, or to standard output, and says where it came from', async () => {
    const file = scratch('out');
    const got = await node.run('get', origin.url('/a'), '-o', file);
    assert.deepEqual([got.code, got.stdout.length], [0, 0]);
    assert.match(got.stderr, /^2\.0 MB from origin\n$/);
    assert.ok((await readFile(file)).equals(content));
    const again = await node.run('get', origin.url('/a'));
    assert.ok(again.stdout.equals(content));
    assert.match(again.stderr, /from (hit|collapsed)/);
    const summary = await node.json('get', origin.url('/a'), '-o', file);
    const expected = { url: origin.url('/a'), status: 200, source: 'hit', bytes: content.length };
    assert.deepEqual(summary, expected);
    assert.equal(origin.count('/a'), 1);
  });

  it('knows the right digest from a wrong one, and from none', async () => {
    const file = scratch('out');
    const right = await node.run(
      'get',
      origin.url('/a'),
      '--sha256',
      sha256Of(content),
      '-o',
      file,
    );
    assert.equal(right.code, 0);
    const other = sha256Of(Buffer.from('other'));
    const wrong = await node.run('get', origin.url('/a'), '--sha256', other, '-o', `${file}2`);
    assert.deepEqual([wrong.code, codeIn(wrong)], [1, 'E_DIGEST_MISMATCH']);
    await assert.rejects(stat(`${file}2`), { code: 'ENOENT' });
    await assert.rejects(stat(`${file}2.part`), { code: 'ENOENT' });
    const none = await node.run('get', origin.url('/a'), '--sha256', 'abc');
    assert.deepEqual([none.code, codeIn(none)], [1, 'E_DIGEST_INVALID']);
  });

  it('fails with a code, and leaves no file, where there is nothing to be had', async () => {
    const file = scratch('out');
    for (const [url, code] of [
      [origin.url('/none'), 'E_STATUS'],
      [origin.url('/broken'), 'E_BODY_TRUNCATED'],
      ['http://169.254.169.254/', 'E_ADDRESS_DENIED'],
      ['http://no-such-host.invalid/', 'E_ORIGIN_UNREACHABLE'],
      ['nonsense', 'E_URL_INVALID'],
    ] as const) {
      const outcome = await node.run('get', url, '-o', file);
      assert.deepEqual([outcome.code, codeIn(outcome)], [1, code], url);
      await assert.rejects(stat(file), { code: 'ENOENT' }, url);
      await assert.rejects(stat(`${file}.part`), { code: 'ENOENT' }, url);
    }
  });

  it('says that a file cannot be written, before anything is fetched', async () => {
    const directory = scratch('dir');
    await mkdir(directory);
    for (const file of [join(directory, 'no', 'file'), directory, '/dev/full/x']) {
      const outcome = await node.run('get', origin.url('/unwritten'), '-o', file);
      assert.equal(outcome.code, 1);
      assert.equal(codeIn(outcome), 'E_OUTPUT_UNWRITABLE', outcome.stderr);
      assert.ok(!outcome.stderr.includes('    at '), 'a message, not a stack');
    }
    assert.equal(origin.count('/unwritten'), 0);
  });

  it('writes into a pipe or a device and leaves it what it is, and through a link', async function () {
    if (process.platform === 'win32') this.skip();
    const pipe = scratch('pipe');
    assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
    const [taken, outcome] = await Promise.all([
      readFile(pipe),
      node.run('get', origin.url('/a'), '-o', pipe),
    ]);
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.ok(taken.equals(content));
    assert.ok((await stat(pipe)).isFIFO());
    const [file, link] = [scratch('file'), scratch('link')];
    await writeFile(file, 'before');
    await symlink(file, link);
    assert.equal((await node.run('get', origin.url('/a'), '-o', link)).code, 0);
    assert.ok((await lstat(link)).isSymbolicLink());
    assert.ok((await readFile(file)).equals(content));
  });

  it('ends quietly when whoever reads its output has enough', async () => {
    const shell = spawn(
      'sh',
      ['-c', '"$0" "$@" | head -c 10', ...commandOf(node, origin.url('/a'))],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const [stdout, stderr] = await Promise.all([collect(shell.stdout), collect(shell.stderr)]);
    assert.ok(stdout.equals(content.subarray(0, 10)));
    assert.equal(stderr.toString(), '');
    assert.equal((await node.run('status')).code, 0);
  });

  it('says that the disk is full where it writes to', async function () {
    if (process.platform !== 'linux') this.skip();
    const words = ['-c', '"$0" "$@" > /dev/full', ...commandOf(node, origin.url('/a'))];
    const shell = spawn('sh', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    const stderr = await collect(shell.stderr);
    assert.match(
      stderr.toString(),
      /^peerage: the output cannot be written.*\[E_OUTPUT_UNWRITABLE\]\n$/,
    );
  });

  it('may be given up at any time: the node goes on', async () => {
    origin.on('/endless', (_request, response) => {
      const more = () => response.write(content);
      response.on('drain', more);
      more();
    });
    const [command = '', ...words] = commandOf(node, origin.url('/endless'));
    const getting = spawn(command, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(getting.stdout, 'data');
    getting.kill('SIGKILL');
    await once(getting, 'close');
    assert.equal((await node.run('get', origin.url('/a'))).code, 0);
  });
});

/** How to run `peerage get` as a process of one's own. */
function commandOf(node: NodeProcess, url: string): string[] {
  const [, program = ''] = node.child.spawnargs;
  return [process.execPath, program, 'get', url, '--state', node.directory];
}

describe('peerage cache, and peerage plugins', function () {
  this.timeout(120_000);
  const scratch = useScratch();

  it('list, pin, unpin and forget what is stored; ends with 1 where there is none', async () => {
    const origin = await LoopbackOrigin.start();
    const content = contentOf('cache', 1000);
    origin.serve('/a', { content, headers: { 'cache-control': 'max-age=600' } });
    const url = origin.url('/a');
    const node = await NodeProcess.start(scratch('n'), { core: { originAllow: ['127.0.0.0/8'] } });
    await node.run('get', url);
    for (const [verb, code] of [
      ['pin', 0],
      ['unpin', 0],
      ['purge', 0],
      ['purge', 1],
      ['pin', 1],
    ] as const) {
      const { code: status, stdout } = await node.run('cache', verb, url);
      assert.deepEqual(
        [status, stdout.toString()],
        [code, code === 0 ? '1 entry\n' : '0 entries\n'],
      );
      const [entry] = await node.json<Array<{ url: string; pinned: boolean }>>('cache', 'list');
      assert.equal(entry?.pinned, verb === 'purge' || code === 1 ? undefined : verb === 'pin');
    }
    await node.stop();
    await origin.close();
  });

  it('change plugins.json, and nothing else in it', async () => {
    const directory = scratch('p');
    await mkdir(directory);
    const file = join(directory, 'plugins.json');
    const text = '{\n  // ours\n  "core": {},\n  "plugins": { "demo": { "use": "./demo" } }\n}\n';
    await writeFile(file, text);
    const state = ['--state', directory];
    const off = jsonOf<object>(
      await peerageIn(directory, 'plugins', 'disable', 'demo', '--json', ...state),
    );
    assert.deepEqual(off, { id: 'demo', enabled: false, file });
    assert.match(await readFile(file, 'utf8'), /\/\/ ours.*"enabled": false/s);
    assert.equal((await peerage('plugins', 'enable', 'demo', ...state)).code, 0);
    const after = await readFile(file, 'utf8');
    assert.equal(
      after.replace(/,\s*"enabled": true/, '').replace(/\s/g, ''),
      text.replace(/\s/g, ''),
    );
    const unknown = await peerage('plugins', 'disable', 'dmo', ...state);
    assert.deepEqual([unknown.code, codeIn(unknown)], [1, 'E_PLUGIN_UNKNOWN']);
    assert.match(unknown.stderr, /did you mean "demo"/);
    await writeFile(file, '{ "core": 5 }');
    const broken = await peerage('plugins', 'disable', 'demo', ...state);
    assert.deepEqual([broken.code, codeIn(broken)], [1, 'E_CONFIG_INVALID']);
    assert.equal(await readFile(file, 'utf8'), '{ "core": 5 }');
    const elsewhere = scratch('s');
    await mkdir(elsewhere);
    const none = await peerageIn(elsewhere, 'plugins', 'disable', 'demo', '--state', elsewhere);
    assert.deepEqual([none.code, codeIn(none)], [1, 'E_CONFIG_UNREADABLE']);
  });
});

describe('peerage ca', function () {
  this.timeout(120_000);
  const scratch = useScratch();

  it('makes an authority once, and identities that only their owner can read', async () => {
    const state = scratch('ca');
    const made = jsonOf<{ group: string; node: string }>(
      await peerage(
        'ca',
        'init',
        '--group',
        'office',
        '--name',
        'desk',
        '--json',
        '--state',
        state,
      ),
    );
    assert.deepEqual([made.group, made.node], ['office', 'desk']);
    const again = await peerage('ca', 'init', '--state', state);
    assert.deepEqual([again.code, codeIn(again)], [1, 'E_CA_EXISTS']);
    const file = join(state, 'lap.pem');
    const issued = await peerage('ca', 'issue', 'lap', '--out', file, '--state', state);
    assert.equal(issued.code, 0);
    for (const path of [file, join(state, 'identity.pem'), join(state, 'ca', 'ca.pem')]) {
      assert.equal((await stat(path)).mode & 0o777, 0o600, path);
    }
    assert.equal((await stat(join(state, 'ca'))).mode & 0o777, 0o700);
  });

  it('refuses names that are none, and a directory without an authority', async () => {
    const state = scratch('ca');
    const none = await peerage('ca', 'issue', 'a', '--out', `${state}.pem`, '--state', state);
    assert.deepEqual([none.code, codeIn(none)], [1, 'E_CA_MISSING']);
    for (const name of ['', '../a', 'a b', '-a', 'a/b', 'é', 'x'.repeat(64)]) {
      const words = ['ca', 'init', `--group=${name}`, '--state', scratch('ca')];
      const outcome = await peerage(...words);
      assert.deepEqual([outcome.code, codeIn(outcome)], [1, 'E_NAME_INVALID'], name);
    }
  });
});
