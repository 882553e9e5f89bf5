/** plugins.json changes while plugins run: all of it is taken, or nothing. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, type PluginText, pluginSource, useHost } from './rig.js';

const settings = { type: 'object', properties: { word: { type: 'string', default: 'one' } } };

/** A plugin that says its word when it is active. */
function speaking(entry: object = {}, more: Partial<PluginText> = {}): PluginText {
  const body = "activate() { this.plugincontext.log.info('up', this.plugincontext.settings); }";
  const source = pluginSource(['PluginContext'], body);
  return { source, manifest: { settings }, entry, ...more };
}

describe('a changed plugins.json', function () {
  this.timeout(60_000);
  const rig = useHost();
  const pids = () =>
    Object.fromEntries(
      rig()
        .plugins()
        .map(({ id, pid }) => [id, pid]),
    );

  it('starts what is new, changes what changed, stops what is gone, touches nothing else', async () => {
    await rig().start({ same: speaking(), changed: speaking(), gone: speaking() });
    const before = pids();
    await rig().configure({
      same: speaking(),
      changed: speaking({ settings: { word: 'two' } }),
      fresh: speaking(),
    });
    const done = await rig().host.reload();
    assert.deepEqual(done, {
      started: ['fresh'],
      changed: ['changed'],
      stopped: ['gone'],
      unchanged: ['same'],
    });
    const after = pids();
    assert.equal(after['same'], before['same']);
    assert.notEqual(after['changed'], before['changed']);
    assert.deepEqual([isAlive(before['gone']), isAlive(before['changed'])], [false, false]);
    assert.ok(isAlive(after['fresh']));
  });

  it('is taken up by itself', async () => {
    await rig().start({ demo: speaking() });
    await rig().configure({ demo: speaking({ settings: { word: 'two' } }) });
    assert.equal((await rig().said('up', 2))['word'], 'two');
  });

  const wrong: Array<[what: string, text: string, says: RegExp]> = [
    ['no JSON', '{\n"plugins": {,}\n}', /plugins\.json:2: not JSON/],
    [
      'a key that is none',
      '{\n"plugins": {\n"demo": { "us": "./demo" } } }',
      /:3: .*"plugins.demo/,
    ],
    [
      'a plugin that is not there',
      '{"plugins":{"demo":{"use":"./demo"},"none":{"use":"./none"}}}',
      /none/,
    ],
    [
      'settings of the wrong kind',
      '{\n"plugins": {\n"demo": {"use":"./demo",\n"settings":{"word":5}}}}',
      /:4: .*word/,
    ],
  ];
  for (const [what, text, says] of wrong) {
    it(`changes nothing and says why where it has ${what}`, async () => {
      await rig().start({ demo: speaking() });
      const before = pids();
      await writeFile(join(rig().directory, 'plugins.json'), text);
      await assert.rejects(rig().host.reload(), says);
      assert.deepEqual(pids(), before);
      assert.equal(rig().status().state, 'active');
      assert.match(String(rig().logger.all('configuration-rejected')[0]?.fields['error']), says);
    });
  }

  it('is taken back as a whole where one plugin does not start', async () => {
    const listening = { manifest: { settings, permissions: { listen: ['any'] } } };
    await rig().start({ beside: speaking(), swapped: speaking({}, listening), gone: speaking() });
    const before = pids();
    const two = { settings: { word: 'two' } };
    const broken = { source: pluginSource([], "activate() { throw new Error('no'); }") };
    await rig().configure({
      beside: speaking(two),
      swapped: speaking(two, listening),
      broken,
    });
    await assert.rejects(rig().host.reload(), /no/);
    const after = pids();
    assert.deepEqual(Object.keys(after).sort(), ['beside', 'gone', 'swapped']);
    assert.equal(after['beside'], before['beside']);
    assert.equal(after['gone'], before['gone']);
    assert.ok(isAlive(after['swapped']));
    const words = rig()
      .logger.all('up')
      .map(({ fields }) => fields['word']);
    assert.equal(words.at(-1), 'one', 'what was stopped runs again as it was');
  });

  it('brings a plugin back that was in quarantine, when it is restarted', async () => {
    await rig().start({ demo: { source: pluginSource([], 'activate() { process.exit(1); }') } });
    await rig().logger.until('plugin-quarantined');
    await assert.rejects(rig().host.run('demo', 'x', [], false), { code: 'E_PLUGIN_QUARANTINED' });
    await rig().configure({ demo: speaking() });
    await rig().host.restart('demo');
    assert.equal(rig().status().state, 'active');
  });
});
