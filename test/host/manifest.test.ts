/** From an entry of plugins.json to a checked manifest: every fault has a code and names its place. */
import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readPlugin } from '@peerage/core/host/manifest.js';
import { parseConfiguration } from '@peerage/core/ports/configuration.js';
import { useScratch } from '../fakes/scratch.js';

const MANIFEST = { api: 1, id: 'demo', urls: ['*'], settings: { type: 'object' } };

describe('a plugin’s manifest', () => {
  const scratch = useScratch();

  /** Writes a package and a plugins.json that uses it, and reads it as the host does. */
  async function read(content: unknown, entry: object = {}) {
    const directory = scratch('state');
    await mkdir(join(directory, 'demo'), { recursive: true });
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    await writeFile(join(directory, 'demo', 'package.json'), text);
    const use = { use: './demo', ...entry };
    const plugins = JSON.stringify({ plugins: { demo: use } }, undefined, 1);
    const configuration = parseConfiguration(plugins, join(directory, 'plugins.json'));
    const chosen = configuration.plugins['demo'];
    assert.ok(chosen !== undefined);
    return readPlugin('demo', chosen, configuration);
  }

  it('is read with its defaults and its settings', async () => {
    const settings = {
      type: 'object',
      additionalProperties: false,
      properties: { port: { type: 'integer', default: 8080 }, name: { type: 'string' } },
    };
    const peerage = { ...MANIFEST, settings };
    const found = await read(
      { version: '1.2.3', main: 'dist/plugin.js', peerage },
      { settings: { name: 'x' } },
    );
    assert.deepEqual(found.settings, { port: 8080, name: 'x' });
    assert.deepEqual([found.version, found.manifest.election], ['1.2.3', 'none']);
    assert.equal(found.main, pathToFileURL(join(found.directory, 'dist/plugin.js')).href);
  });

  const faults: Array<[what: string, content: unknown, says: RegExp]> = [
    ['no JSON', '{', /package\.json cannot be read/],
    ['no object', 'null', /cannot be read/],
    ['no manifest', { name: 'demo' }, /"peerage" must be object/],
    ['a manifest that is a list', { peerage: [] }, /"peerage" must be object/],
    ['no api', { peerage: { ...MANIFEST, api: undefined } }, /must have required property 'api'/],
    ['an unknown key', { peerage: { ...MANIFEST, url: [] } }, /must NOT have additional.*"url"/],
    ['urls that are no list', { peerage: { ...MANIFEST, urls: '*' } }, /"peerage\/urls" must be/],
    [
      'a URL pattern without end',
      { peerage: { ...MANIFEST, urls: ['a'.repeat(1001)] } },
      /urls\/0/,
    ],
    ['too many URL patterns', { peerage: { ...MANIFEST, urls: Array(501).fill('*') } }, /urls/],
    ['a bad id', { peerage: { ...MANIFEST, id: 'De mo' } }, /"peerage\/id"/],
    ['another id', { peerage: { ...MANIFEST, id: 'other' } }, /its manifest says it is "other"/],
    ['a bad election', { peerage: { ...MANIFEST, election: 'all' } }, /"peerage\/election"/],
    [
      'a schema that is none',
      { peerage: { ...MANIFEST, settings: { type: 'x' } } },
      /no JSON Schema/,
    ],
    [
      'a bad expression',
      { peerage: { ...MANIFEST, settings: { properties: { a: { pattern: '(' } } } } },
      /no JSON Schema/,
    ],
    [
      'a reference to nowhere',
      { peerage: { ...MANIFEST, settings: { $ref: '#/nowhere' } } },
      /no JSON Schema/,
    ],
  ];
  for (const [what, content, says] of faults) {
    it(`is refused: ${what}`, async () => {
      await assert.rejects(read(content), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'E_PLUGIN_MANIFEST');
        assert.match(error.message, says);
        assert.match(error.message, /plugin demo/);
        return true;
      });
    });
  }

  it('is refused when it needs another plugin interface', async () => {
    await assert.rejects(read({ peerage: { ...MANIFEST, api: 2 } }), { code: 'E_PLUGIN_API' });
  });

  it('is refused when it is not there', async () => {
    const absent = { code: 'E_PLUGIN_NOT_FOUND' };
    await assert.rejects(read({}, { use: '@nobody/nothing' }), absent);
    await assert.rejects(read({}, { use: './elsewhere' }), { code: 'E_PLUGIN_MANIFEST' });
  });

  it('says where in plugins.json a setting is wrong', async () => {
    const settings = {
      type: 'object',
      additionalProperties: false,
      properties: { port: { type: 'integer' } },
    };
    const content = { peerage: { ...MANIFEST, settings } };
    await assert.rejects(read(content, { settings: { prot: 1 } }), (error: Error) => {
      assert.match(error.message, /plugins\.json:\d+: unknown key "plugins\.demo\.settings\.prot"/);
      assert.match(error.message, /did you mean "port"/);
      return true;
    });
  });

  it('is found as a package beside plugins.json, through a link too', async () => {
    const directory = scratch('state');
    const real = scratch('real');
    await mkdir(join(directory, 'node_modules', '@office'), { recursive: true });
    await mkdir(real);
    await writeFile(join(real, 'package.json'), JSON.stringify({ peerage: MANIFEST }));
    await symlink(real, join(directory, 'node_modules', '@office', 'demo'));
    const text = JSON.stringify({ plugins: { demo: { use: '@office/demo' } } });
    const configuration = parseConfiguration(text, join(directory, 'plugins.json'));
    const entry = configuration.plugins['demo'];
    assert.ok(entry !== undefined);
    const { manifest, directory: found } = await readPlugin('demo', entry, configuration);
    assert.equal(manifest.id, 'demo');
    assert.equal(dirname(found), join(directory, 'node_modules', '@office'));
  });
});
