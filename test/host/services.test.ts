/** The services beyond peering: each call is checked against the manifest and the grant. */
import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PluginText, pluginSource, useHost } from './rig.js';

const TOOLS = `
  const codeOf = async (work) => { try { await work(); return 'none'; } catch (e) { return e.code; } };`;
const SERVICES = [
  'PluginContext',
  'PeeringService',
  'ProgramService',
  'CommandService',
  'StatusService',
  'ElectionService',
  'Storage',
];

/** A plugin that runs this script when it is activated; `say` logs under `said`. */
function script(text: string, about: Partial<PluginText> = {}): PluginText {
  const body = `async activate() {
    const { plugincontext: context, peeringservice: peering, programservice: programs } = this;
    const { commandservice: commands, statusservice: status, electionservice: election } = this;
    const { storage } = this;
    const say = (fields) => context.log.info('said', fields);
    ${text}
  }`;
  return { source: pluginSource(SERVICES, body, TOOLS), ...about };
}

describe('programs that the core runs for a plugin', function () {
  this.timeout(60_000);
  const rig = useHost();
  const programs = [
    { name: 'print', command: 'printf', arguments: ['%s|%s', '{text}', '{file:path}'] },
    { name: 'copy', command: 'cat', arguments: [] },
    { name: 'wait', command: 'sleep', arguments: ['30'] },
    { name: 'env', command: '/usr/bin/env', arguments: [] },
    { name: 'fail', command: 'false', arguments: [] },
    { name: 'absent', command: 'no-such-program', arguments: [] },
    { name: 'much', command: 'head', arguments: ['-c', '3000000', '/dev/zero'] },
    { name: 'forbidden', command: 'id', arguments: [] },
  ];
  const granted = programs.map(({ name }) => name).filter((name) => name !== 'forbidden');
  const about = {
    manifest: { permissions: { programs } },
    entry: { grant: { programs: granted } },
  };

  it('get their arguments from templates, and nothing but PATH and LANG', async () => {
    const text = `
      const printed = await programs.run('print', { text: 'a b; $(id)', path: 'x/../y' });
      const copied = await programs.run('copy', {}, { stdin: 'input' });
      const env = await programs.run('env', {});
      const failed = await programs.run('fail', {});
      const much = await programs.run('much', {});
      say({ printed, copied: copied.stdout, env: env.stdout, failed: failed.exitCode, much: much.stdout.length });`;
    await rig().start({ demo: script(text, about) });
    const said = await rig().said('said');
    const directory = join(rig().directory, 'plugins', 'demo');
    assert.deepEqual(said['printed'], {
      exitCode: 0,
      stdout: `a b; $(id)|${join(directory, 'y')}`,
      stderr: '',
    });
    assert.deepEqual([said['copied'], said['failed'], said['much']], ['input', 1, 1024 * 1024]);
    const names = String(said['env']).trim().split('\n');
    assert.deepEqual(names.map((line) => line.split('=')[0]).sort(), ['LANG', 'PATH']);
    assert.equal(rig().status().counters['program-print'], 1);
  });

  it('are refused with a value that could be an option or leads elsewhere', async () => {
    const text = `
      const all = [{ text: '-rf', path: 'x' }, { text: 'x' }, { text: 'x', path: 'x', more: 'x' },
        { text: 'x', path: '../../identity.pem' }, { text: 'x', path: '/etc/passwd' },
        { text: 'x', path: 'link/x' }];
      const codes = [];
      for (const values of all) codes.push(await codeOf(() => programs.run('print', values)));
      for (const [name, options] of [['forbidden'], ['none'], ['absent'], ['wait', { timeoutMs: 50 }]])
        codes.push(await codeOf(() => programs.run(name, {}, options)));
      say({ codes });`;
    const directory = join(rig().directory, 'plugins', 'demo');
    await mkdir(directory, { recursive: true });
    await symlink('/etc', join(directory, 'link'));
    await rig().start({ demo: script(text, about) });
    assert.deepEqual((await rig().said('said'))['codes'], [
      ...['E_PROGRAM_VALUE', 'E_PROGRAM_VALUE', 'E_PROGRAM_VALUE'],
      ...['E_PATH_DENIED', 'E_PATH_DENIED', 'E_PATH_DENIED'],
      ...[
        'E_PROGRAM_NOT_GRANTED',
        'E_PROGRAM_NOT_GRANTED',
        'E_PROGRAM_MISSING',
        'E_PROGRAM_TIMEOUT',
      ],
    ]);
    assert.equal(rig().status().counters['denied-programs'], 2);
  });
});

describe('commands that a plugin adds', function () {
  this.timeout(60_000);
  const rig = useHost();
  const manifest = {
    activation: ['command'],
    commands: [
      { name: 'hello', description: 'says hello', usage: 'NAME' },
      { name: 'bad', description: 'fails' },
      { name: 'gone', description: 'ends its process' },
      { name: 'unhandled', description: 'is not handled' },
    ],
  };
  const text = `
    await commands.onCommand('hello', async ([name], { json }) => ({ text: 'hello ' + name, json: { name, json }, exitCode: 3 }));
    await commands.onCommand('bad', async () => { throw new CodedError('E_MINE', 'no'); });
    await commands.onCommand('gone', async () => process.exit(1));
    say({ code: await codeOf(() => commands.onCommand('other', async () => ({ text: '' }))) });`;

  it('start it, and bring its answer, its exit code or its error', async () => {
    await rig().start({ demo: script(text, { manifest }) });
    assert.equal(rig().status().state, 'idle');
    const { host } = rig();
    assert.deepEqual(host.commands()[0], { plugin: 'demo', ...manifest.commands[0] });
    const answer = await host.run('demo', 'hello', ['you'], true);
    assert.deepEqual(answer, {
      text: 'hello you',
      json: { name: 'you', json: true },
      exitCode: 3,
    });
    assert.equal(rig().status().state, 'active');
    assert.equal((await rig().said('said'))['code'], 'E_COMMAND_UNKNOWN');
    await assert.rejects(host.run('demo', 'bad', [], false), { code: 'E_MINE' });
    await assert.rejects(host.run('demo', 'unhandled', [], false), { code: 'E_COMMAND_UNKNOWN' });
    await assert.rejects(host.run('none', 'hello', [], false), { code: 'E_PLUGIN_UNKNOWN' });
    await assert.rejects(host.run('demo', 'gone', [], false), { code: 'E_PLUGIN_EXITED' });
  });
});

describe('what starts a plugin', function () {
  this.timeout(60_000);
  const rig = useHost();
  const up = (activation: string[], more: object = {}) =>
    script('say({});', { manifest: { activation, ...more }, urls: ['https://a.example/*'] });

  it('is a URL that it serves best, and being elected', async () => {
    const listeners: Array<() => void> = [];
    let provider: { node: string; isSelf: boolean } | undefined;
    const joined: string[] = [];
    rig().services = {
      elections: {
        join: (service: string) => {
          joined.push(service);
          return { dispose: () => joined.splice(joined.indexOf(service), 1) };
        },
        state: () => ({ provider, backup: undefined, epoch: 1, sinceMs: 0, reason: 'x' }),
        onChange: (_: string, listener: () => void) => {
          listeners.push(listener);
          return { dispose: () => undefined };
        },
      } as never,
    };
    await rig().start({ url: up(['url']), elected: up(['elected'], { election: 'own' }) });
    assert.deepEqual(
      rig()
        .plugins()
        .map(({ state }) => state),
      ['idle', 'idle'],
    );
    assert.deepEqual(joined, ['elected']);
    rig().host.requested('https://b.example/');
    assert.equal(rig().status('url').state, 'idle');
    rig().host.requested('https://a.example/x');
    assert.equal((await rig().said('said'))['plugin'], 'url');
    provider = { node: 'me', isSelf: true };
    for (const listener of listeners) listener();
    assert.equal((await rig().said('said', 2))['plugin'], 'elected');
    await rig().end();
    assert.deepEqual(joined, []);
  });
});

describe('the node’s status and what a plugin keeps', function () {
  this.timeout(60_000);
  const rig = useHost();

  it('is shown to those who were granted it alone', async () => {
    rig().services = {
      view: {
        status: () => ({ name: 'me' }),
        peers: () => [],
        downloads: () => [],
        look: () => [],
      },
    };
    const manifest = { permissions: { status: true } };
    const text = `say({ code: await codeOf(() => status.status()), name: (await status.status().catch(() => ({}))).name });`;
    await rig().start({
      granted: script(text, { manifest, entry: { grant: { status: true } } }),
      other: script(text, { manifest }),
    });
    const lines = (await rig().said('said', 2)) && rig().logger.all('said');
    const found = Object.fromEntries(
      lines.map(({ fields }) => [fields['plugin'], [fields['code'], fields['name']]]),
    );
    assert.deepEqual(found, {
      granted: ['none', 'me'],
      other: ['E_STATUS_NOT_GRANTED', undefined],
    });
  });

  it('outlives its process, whole, under any key', async () => {
    const text = `
      const keys = ['a', '../../x', '.', 'ü/ü', '%2e'];
      if ((await storage.keys()).length === 0) {
        for (const key of keys) await storage.set(key, { key });
        process.exit(0);
      }
      const values = [];
      for (const key of keys) values.push((await storage.get(key)).key);
      await storage.delete('.');
      const codes = [await codeOf(() => storage.set('x'.repeat(101), 1)), await codeOf(() => storage.set('x', 'x'.repeat(2e6))), await codeOf(() => storage.set('x', undefined))];
      say({ values, keys: (await storage.keys()).length, codes, none: await storage.get('none') });`;
    await rig().start({ demo: script(text) });
    const said = await rig().said('said');
    assert.deepEqual(said['values'], ['a', '../../x', '.', 'ü/ü', '%2e']);
    assert.deepEqual([said['keys'], said['none']], [4, undefined]);
    assert.deepEqual(said['codes'], Array(3).fill('E_STORAGE'));
  });
});

describe('bytes that a plugin publishes', function () {
  this.timeout(60_000);
  const rig = useHost();

  it('wait in a file of its own; nothing else is taken, and only under its own URIs', async () => {
    const taken: Array<{ uri: string; path: string }> = [];
    rig().services = {
      own: {
        publish: async ({ uri, path }: { uri: string; path: string }) => {
          taken.push({ uri, path });
          return { sha256: 'x', sizeBytes: 4 };
        },
      } as never,
    };
    await writeFile(join(rig().directory, 'secret'), 'secret');
    const text = `
      const published = await peering.publish({ uri: 'demo:list', body: Buffer.from('mine'), lifetimeMs: 1000 });
      const codes = [];
      for (const [uri, lifetimeMs] of [['other:list', 1000], ['http://asked.test/x', 1000], ['demo:list', 0], ['demo:list', 1e15], ['file:///etc/passwd', 1000]])
        codes.push(await codeOf(() => peering.publish({ uri, body: Buffer.from('x'), lifetimeMs })));
      const raw = (file) => new Promise((done) => {
        process.on('message', (m) => { if (m.type === 'reply' && m.id === 9001) done(m.error?.code); });
        process.send({ type: 'call', id: 9001, method: 'peering.publish', argument: { uri: 'demo:list', lifetimeMs: 1, file } });
      });
      codes.push(await raw('../../../secret'));
      say({ published, codes });`;
    await rig().start({
      demo: script(text, {
        urls: ['http://asked.test/*'],
        manifest: { publishes: ['demo:*', 'file:*'] },
      }),
    });
    const { published, codes } = await rig().said('said');
    assert.deepEqual(published, { sha256: 'x', sizeBytes: 4 });
    assert.deepEqual(codes, [
      'E_PUBLISH_NOT_GRANTED',
      'E_PUBLISH_NOT_GRANTED',
      'E_PUBLISH_INVALID',
      'E_PUBLISH_INVALID',
      'E_PUBLISH_INVALID',
      'E_PATH_DENIED',
    ]);
    assert.deepEqual(
      taken.map(({ uri }) => uri),
      ['demo:list'],
    );
    assert.equal(rig().status().counters['bytes-published'], 4);
  });
});
