/** A plugin's process and its life. Whatever it does to itself, the host goes on. */
import assert from 'node:assert/strict';
import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeError, errorCode } from '@peerage/sdk';
import { isAlive, pluginSource, SDK_DIRECTORY, SHORT_TIMES, useHost } from './rig.js';

const IDLE = 'activate() {}';

describe('a plugin’s start', function () {
  this.timeout(60_000);
  const rig = useHost();

  it('gives it what its constructor names by type, and its settings', async () => {
    const services = ['PeeringService', 'PluginContext', 'ElectionService'];
    const body = `async activate() {
      const { id, settings, dataDirectory, coreVersion } = this.plugincontext;
      const kinds = [this.peeringservice instanceof sdk.PeeringService,
        this.electionservice instanceof sdk.ElectionService];
      this.plugincontext.log.info('here', { id, settings, dataDirectory, coreVersion, kinds });
    }`;
    const settings = { type: 'object', properties: { port: { type: 'integer', default: 7 } } };
    await rig().start({ demo: { source: pluginSource(services, body), manifest: { settings } } });
    const said = await rig().said('here');
    assert.deepEqual(said, {
      plugin: 'demo',
      id: 'demo',
      settings: { port: 7 },
      dataDirectory: join(rig().directory, 'plugins', 'demo'),
      coreVersion: '9.9.9',
      kinds: [true, true],
    });
    const { state, pid, version, restarts } = rig().status();
    assert.deepEqual([state, version, restarts], ['active', '1.0.0', 0]);
    assert.ok(isAlive(pid));
  });

  it('logs its errors with their code and words', async () => {
    const body = `activate() { this.plugincontext.log.warn('failed', { error: new CodedError('E_MINE', 'no room', { action: 'make some' }) }); }`;
    await rig().start({ demo: { source: pluginSource(['PluginContext'], body) } });
    const { error } = await rig().said('failed');
    assert.deepEqual([errorCode(error), describeError(error)], ['E_MINE', 'no room; make some']);
  });

  it('works with a copy of the SDK of the plugin’s own', async () => {
    const directory = join(rig().directory, 'demo', 'node_modules');
    await mkdir(join(directory, '@peerage'), { recursive: true });
    await cp(SDK_DIRECTORY, join(directory, '@peerage', 'sdk'), {
      recursive: true,
      filter: (path) => !path.includes('node_modules'),
    });
    for (const name of ['tsyringe', 'reflect-metadata', 'tslib']) {
      const main = fileURLToPath(import.meta.resolve(name, `file://${SDK_DIRECTORY}/package.json`));
      const root = main.slice(0, main.indexOf(`/${name}/`) + name.length + 1);
      await cp(root, join(directory, name), { recursive: true });
    }
    const body = "activate() { this.plugincontext.log.info('copy'); }";
    await rig().start({ demo: { source: pluginSource(['PluginContext'], body) } });
    await rig().said('copy');
    assert.equal(rig().status().state, 'active');
  });

  it('says what is wrong when a service was imported as a type alone', async () => {
    const source = pluginSource([], IDLE).replace(
      "'design:paramtypes', []",
      "'design:paramtypes', [Object]",
    );
    await rig().start({ demo: { source } });
    const [line] = rig().logger.all('plugin-failed');
    assert.equal(line?.fields['code'], 'E_PLUGIN_INJECTION');
    assert.match(rig().status().lastError ?? '', /Object|TypeInfo/);
  });

  const refusals: Array<[what: string, source: string, code: string]> = [
    [
      'throws when it is constructed',
      pluginSource([], IDLE).replace('super();', "super(); throw new CodedError('E_MINE', 'no');"),
      'E_MINE',
    ],
    [
      'throws when it is activated',
      pluginSource([], "activate() { throw new Error('no'); }"),
      'E_INTERNAL',
    ],
    [
      'rejects when it is activated',
      pluginSource([], "async activate() { throw new CodedError('E_MINE', 'no'); }"),
      'E_MINE',
    ],
    ['exports no class', 'export default 5;', 'E_PLUGIN_SHAPE'],
    ['exports nothing', 'export const a = 1;', 'E_PLUGIN_SHAPE'],
    ['is no program', 'this is no program', 'E_INTERNAL'],
    ['throws when it is loaded', "throw new Error('no');", 'E_INTERNAL'],
    ['imports what is not there', "import 'not-there'; export default class {}", 'E_PLUGIN_LOAD'],
    ['exits when it is loaded', 'process.exit(3);', 'E_PLUGIN_EXITED'],
    [
      'exits when it is activated',
      pluginSource([], 'activate() { process.exit(0); }'),
      'E_PLUGIN_EXITED',
    ],
  ];
  for (const [what, source, code] of refusals) {
    it(`is tried three times, and then no more, when it ${what}`, async () => {
      await rig().start({ demo: { source }, other: { source: pluginSource([], IDLE) } });
      const [line] = rig().logger.all('plugin-failed');
      assert.ok(
        [code, 'E_INTERNAL'].includes(String(line?.fields['code'])),
        String(line?.fields['code']),
      );
      await rig().logger.until('plugin-quarantined');
      const { state, restarts, pid, lastError } = rig().status();
      assert.deepEqual([state, restarts, pid], ['quarantined', 2, undefined]);
      assert.ok(lastError !== undefined && lastError.length > 0);
      assert.equal(rig().status('other').state, 'active', 'another plugin does not care');
    });
  }

  for (const [what, body] of [
    ['never returns', 'activate() { return new Promise(() => undefined); }'],
    ['never ends a loop', 'activate() { for (;;); }'],
  ]) {
    it(`is too slow, and is killed, when activate() ${what}`, async () => {
      const times = { ...SHORT_TIMES, activateMs: 700 };
      await rig().start({ demo: { source: pluginSource([], body ?? '') } }, times);
      const [line] = rig().logger.all('plugin-failed');
      assert.equal(line?.fields['code'], 'E_PLUGIN_SLOW');
      await rig().logger.until('plugin-quarantined');
    });
  }

  it('does not happen at all while another entry is wrong', async () => {
    const good = { source: pluginSource([], IDLE) };
    const bad = { source: '', manifest: { api: 99 } };
    await assert.rejects(rig().start({ demo: good, bad }), { code: 'E_PLUGIN_API' });
    assert.deepEqual(rig().plugins(), []);
    assert.equal(rig().logger.all('plugin-active').length, 0);
  });

  it('does not happen for a plugin that is disabled, which is listed as such', async () => {
    await rig().start({ demo: { source: 'process.exit(1)', entry: { enabled: false } } });
    assert.deepEqual([rig().status().state, rig().status().pid], ['disabled', undefined]);
  });
});

describe('a plugin’s life', function () {
  this.timeout(60_000);
  const rig = useHost();
  const start = (body: string, times = SHORT_TIMES) =>
    rig().start({ demo: { source: pluginSource(['PluginContext'], body) } }, times);

  it('begins again after a crash, in a new process', async () => {
    const body = `activate() {
      this.plugincontext.log.info('up', { pid: process.pid });
      const { writeFileSync, existsSync } = process.getBuiltinModule('node:fs');
      if (existsSync('crashed')) return;
      writeFileSync('crashed', '');
      setImmediate(() => { throw new Error('crash'); });
    }`;
    await start(body);
    const first = await rig().said('up');
    const second = await rig().said('up', 2);
    assert.notEqual(first['pid'], second['pid']);
    await rig().logger.until('plugin-exited');
    const [exited] = rig().logger.all('plugin-exited');
    assert.match(String(exited?.fields['lines']), /Error: crash/, 'its last words are logged');
    assert.equal(rig().status().restarts, 1);
  });

  it('is over after the third crash', async () => {
    await start('activate() { setImmediate(() => process.abort()); }');
    await rig().logger.until('plugin-quarantined');
    assert.equal(rig().logger.all('plugin-exited').length, 2);
    assert.equal(rig().status().state, 'quarantined');
  });

  it('is ended and begun again when it falls into an endless loop', async () => {
    const body = `activate() {
      this.plugincontext.log.info('up', { pid: process.pid });
      setImmediate(() => { for (;;); });
    }`;
    await start(body);
    const { pid } = await rig().said('up');
    await rig().said('up', 2);
    assert.equal(isAlive(Number(pid)), false);
  });

  it('ends well: deactivate, then what it subscribed, last first', async () => {
    const body = `activate() {
      const { log, subscriptions } = this.plugincontext;
      for (const name of ['one', 'two', 'three']) {
        subscriptions.push({ dispose: () => {
          if (name === 'two') throw new CodedError('E_MINE', 'no');
          log.info('gone', { name });
        } });
      }
    }
    deactivate() { this.plugincontext.log.info('gone', { name: 'deactivate' }); }`;
    await start(body);
    const { pid } = rig().status();
    await rig().end();
    assert.equal(isAlive(pid), false);
    const names = rig()
      .logger.all('gone')
      .map(({ fields }) => fields['name']);
    assert.deepEqual(names, ['deactivate', 'three', 'one']);
    assert.equal(rig().logger.all('dispose-failed')[0]?.fields['code'], 'E_MINE');
    assert.equal(rig().logger.all('plugin-exited').length, 0);
  });

  for (const [what, body] of [
    ['does not want to', 'activate() {} deactivate() { return new Promise(() => undefined); }'],
    ['cannot, being in a loop', 'activate() { setImmediate(() => { for (;;); }); }'],
  ]) {
    it(`is ended within its time when it ${what}`, async () => {
      await start(body ?? '', { ...SHORT_TIMES, pingMs: 60_000 });
      const { pid } = rig().status();
      const startedAt = performance.now();
      await rig().end();
      assert.ok(performance.now() - startedAt < 5000);
      assert.equal(isAlive(pid), false);
    });
  }

  it('takes no signal of a terminal for its end: the core says when', async () => {
    await start(`activate() { process.on('message', () => undefined);
      this.plugincontext.log.info('up'); }`);
    await rig().said('up');
    const { pid } = rig().status();
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGINT');
    process.kill(pid, 'SIGTERM');
    await rig().end();
    assert.equal(rig().logger.all('plugin-exited').length, 0);
  });

  it('has no more memory than it is granted', async () => {
    const body = `activate() { setImmediate(() => { const all = []; for (;;) all.push(new Array(1e5).fill({})); }); }`;
    const source = pluginSource([], body);
    const times = { ...SHORT_TIMES, pingMs: 60_000 };
    await rig().start({ demo: { source, entry: { grant: { memoryMiB: 32 } } } }, times);
    const [exited] = await rig().logger.until('plugin-exited');
    assert.match(String(exited?.fields['lines']), /heap/i);
  });
});

describe('a hostile plugin', function () {
  this.timeout(60_000);
  const rig = useHost();

  it('cannot end the core by what it sends', async () => {
    const body = `activate() {
      const circle = {}; circle.circle = circle;
      const all = [null, 5, 'text', [], {}, { type: 'none' }, { type: 'log' }, { type: 'failed' },
        { type: 'failed', error: null }, { type: 'call' }, { type: 'call', id: 1 },
        { type: 'call', id: 1, method: 5 }, { type: 'call', id: 1.5, method: 'x' },
        { type: 'cancel' }, { type: 'pong' }, { type: 'ready' }, new Map([['type', 'log']]),
        { type: 'log', level: 'info', event: 5 }, { type: 'log', level: 'none', event: 'x' },
        { type: 'log', level: 'info', event: 'x'.repeat(1000) },
        { type: 'log', level: 'info', event: 'strange', fields: { a: 1n } },
        { type: 'log', level: 'info', event: 'strange', fields: circle },
        { type: 'log', level: 'info', event: 'strange', fields: null },
        { type: 'log', level: 'info', event: 'strange', fields: { text: 'x'.repeat(1e6) } },
        { type: 'log', level: 'info', event: 'strange', fields: { plugin: 'core', time: 0, event: 'ready', level: 'error', kept: 1 } },
        { type: 'call', id: 2, method: '__proto__', argument: circle }];
      process.once('message', () => {
        for (const message of all) process.send(message);
        this.plugincontext.log.info('sent');
      });
    }`;
    await rig().start({ demo: { source: pluginSource(['PluginContext'], body) } });
    await rig().said('sent');
    const strange = rig().logger.all('strange');
    assert.equal(strange.length, 5);
    for (const { fields } of strange) {
      assert.equal(fields['plugin'], 'demo');
      assert.ok(JSON.stringify(fields).length < 20_000);
    }
    assert.deepEqual(strange[4]?.fields, { plugin: 'demo', kept: 1 });
    assert.ok((rig().status().counters['malformed-messages'] ?? 0) >= 12);
    assert.equal(rig().logger.all('x').length, 0);
  });

  it('sees nothing of the core’s environment', async () => {
    process.env['PEERAGE_TEST_SECRET'] = 'secret';
    const body = `activate() {
      const { env, argv, execArgv } = process;
      this.plugincontext.log.info('env', { text: JSON.stringify({ env, argv, execArgv }) });
    }`;
    await rig().start({ demo: { source: pluginSource(['PluginContext'], body) } });
    const { text } = await rig().said('env');
    delete process.env['PEERAGE_TEST_SECRET'];
    assert.ok(!String(text).includes('secret'));
    assert.ok(!String(text).includes(`${dirname(process.execPath)}:`));
  });
});
