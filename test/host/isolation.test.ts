/** What a plugin's process cannot do, and that it never outlives the core. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, link, mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeDataDirectory } from '@peerage/core/host/data-directory.js';
import { integrityOf } from '@peerage/core/host/integrity.js';
import { until } from '../lan/until.js';
import { isAlive, pluginSource, useHost } from './rig.js';

const TOOLS = `
  const fs = process.getBuiltinModule('node:fs');
  const codeOf = async (work) => { try { await work(); return 'none'; } catch (e) { return e.code ?? String(e); } };`;
/** The user that has no rights, on Debian. */
const NOBODY = 65_534;
const script = (text: string) =>
  pluginSource(
    ['PluginContext'],
    `async activate() { const say = (fields) => this.plugincontext.log.info('said', fields); ${text} }`,
    TOOLS,
  );

describe('a plugin’s process', function () {
  this.timeout(60_000);
  const rig = useHost();

  it('reads its own code and writes its own data, and nothing else', async () => {
    await writeFile(join(rig().directory, 'identity.pem'), 'secret');
    const text = `
      fs.writeFileSync('own', 'x');
      const codes = [
        await codeOf(() => fs.readFileSync('../../identity.pem')),
        await codeOf(() => fs.writeFileSync('../other', 'x')),
        await codeOf(() => fs.writeFileSync(new URL('./plugin.js', import.meta.url), 'x')),
        await codeOf(() => fs.symlinkSync('/etc/passwd', 'link')),
        await codeOf(() => process.getBuiltinModule('node:child_process').execFileSync('id')),
        await codeOf(() => new (process.getBuiltinModule('node:worker_threads').Worker)('0', { eval: true })),
      ];
      say({ codes, own: fs.readFileSync('own', 'utf8') });`;
    await rig().start({ demo: { source: script(text) } });
    const { codes, own } = await rig().said('said');
    assert.deepEqual(codes, Array(6).fill('ERR_ACCESS_DENIED'));
    assert.equal(own, 'x');
  });

  it('listens on no port that it was not granted', async () => {
    const text = `
      const net = process.getBuiltinModule('node:net');
      const listen = (port) => new Promise((done, failed) => {
        const server = net.createServer().once('error', failed).listen(port, '127.0.0.1', () => server.close(done));
      });
      say({ codes: [await codeOf(() => listen(0)), await codeOf(() => listen(6516))] });`;
    await rig().start({
      none: { source: script(text) },
      any: { source: script(text), manifest: { permissions: { listen: ['any'] } } },
    });
    await rig().said('said', 2);
    const found = rig()
      .logger.all('said')
      .map(({ fields }) => [fields['plugin'], fields['codes']]);
    const codes = Object.fromEntries(found) as Record<string, string[]>;
    assert.deepEqual(codes['none'], ['E_LISTEN_NOT_GRANTED', 'E_LISTEN_NOT_GRANTED']);
    assert.equal(codes['any']?.[0], 'none');
  });

  it('ends when it floods the core with messages', async () => {
    const text = `say({}); const flood = () => { for (let i = 0; i < 500; i += 1) process.send({ type: 'pong' }); setImmediate(flood); }; flood();`;
    const times = { activateMs: 15_000, shutdownMs: 1000, pingMs: 60_000, backoffMs: 60_000 };
    await rig().start({ demo: { source: script(text) } }, times);
    await rig().logger.until('plugin-exited');
    assert.match(rig().status().lastError ?? '', /2000 messages in a second that ask for nothing/);
    assert.equal(rig().status().counters['floods'], 1);
  });

  it('does not run in another version or with other files than were pinned', async () => {
    const plugin = { source: script('say({});') };
    await rig().configure({ demo: plugin });
    const integrity = await integrityOf(join(rig().directory, 'demo'));
    await rig().start({ demo: { ...plugin, entry: { version: '1.0.0', integrity } } });
    await rig().said('said');
    await writeFile(join(rig().directory, 'demo', 'plugin.js'), `${plugin.source}\n`);
    await assert.rejects(rig().host.reload(), { code: 'E_PLUGIN_INTEGRITY' });
    await rig().configure({ demo: { ...plugin, entry: { version: '1.0.1' } } });
    await assert.rejects(rig().host.reload(), { code: 'E_PLUGIN_VERSION' });
    assert.equal(rig().status().state, 'active');
  });

  it('runs as a user of its own, without a network, and still gets what it asks for', async function () {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) this.skip();
    const text = `
      fs.writeFileSync('own', 'x');
      const { connect } = process.getBuiltinModule('node:net');
      const dial = () => new Promise((done, failed) => connect(1, '127.0.0.1', done).once('error', failed));
      const { body } = await this.peeringservice.open({ url: 'https://origin.example/a' });
      let bytes = 0;
      for await (const chunk of body) bytes += chunk.length;
      say({ uid: process.getuid(), kill: await codeOf(() => process.kill(process.ppid, 0)), dial: await codeOf(dial), bytes });`;
    const source = pluginSource(
      ['PluginContext', 'PeeringService'],
      `async activate() { const say = (fields) => this.plugincontext.log.info('said', fields); ${text} }`,
      TOOLS,
    );
    rig().transfer.serve('https://origin.example/a', Buffer.from('some bytes'));
    for (const path of [rig().directory, dirname(rig().directory)]) await chmod(path, 0o755);
    const grant = { uid: NOBODY, network: false };
    await rig().start({ demo: { source, entry: { grant } } });
    const said = await rig().said('said');
    assert.deepEqual([said['uid'], said['kill'], said['dial']], [NOBODY, 'EPERM', 'ENETUNREACH']);
    assert.equal(said['bytes'], 10);
  });

  it('gives a user of its own what is in its directory, and nothing that a link leads to', async function () {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) this.skip();
    const [directory, outside] = [join(rig().directory, 'data'), join(rig().directory, 'outside')];
    await mkdir(join(directory, 'deep'), { recursive: true });
    await mkdir(outside);
    for (const path of [join(directory, 'deep', 'own'), join(outside, 'secret')])
      await writeFile(path, 'x');
    await link(join(outside, 'secret'), join(directory, 'hard'));
    await symlink(outside, join(directory, 'link'));
    await symlink('.', join(directory, 'circle'));
    await makeDataDirectory(directory, NOBODY);
    const owner = async (path: string) => (await stat(path)).uid;
    assert.equal(await owner(join(directory, 'deep', 'own')), NOBODY);
    assert.equal(await owner(outside), 0);
    assert.equal(await owner(join(outside, 'secret')), 0);
    await writeFile(join(directory, 'later'), 'x');
    await makeDataDirectory(directory, NOBODY);
    assert.equal(await owner(join(directory, 'later')), 0, 'what is its own is not walked again');
  });

  it('ends with a core that is killed, even in an endless loop', async function () {
    if (process.platform !== 'linux') this.skip();
    const core = fork(fileURLToPath(new URL('./doomed-core.js', import.meta.url)), [
      rig().directory,
    ]);
    const [pid] = (await once(core, 'message')) as [number];
    assert.ok(isAlive(pid));
    core.kill('SIGKILL');
    await until('the plugin is gone', 10_000, () => (isAlive(pid) ? undefined : true));
  });
});
