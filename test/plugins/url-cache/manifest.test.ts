/** The manifest: that it says what the code needs, and completes and checks settings. */
import assert from 'node:assert/strict';
import { access, readdir, readFile } from 'node:fs/promises';
import type { PluginManifest } from '@peerage/sdk';
import { Ajv } from 'ajv';
import { DEFAULTS } from './rig.js';

interface PackageFile {
  readonly files: readonly string[];
  readonly main: string;
  readonly peerage: PluginManifest;
}

const ROOT = new URL(import.meta.resolve('@peerage/url-cache/package.json'));

describe('url-cache: the manifest', () => {
  let file: PackageFile;
  before(async () => {
    file = JSON.parse(await readFile(ROOT, 'utf8')) as PackageFile;
  });

  const check = (settings: unknown) => {
    const ajv = new Ajv({ useDefaults: true, strict: true });
    const validate = ajv.compile(file.peerage.settings);
    return { isValid: validate(settings), settings };
  };

  it('names the interface, the id and what starts it', () => {
    const { api, id, urls, election, activation } = file.peerage;
    assert.deepEqual([api, id, election], [1, 'url-cache', 'network']);
    assert.deepEqual(urls, ['http://*', 'https://*']);
    assert.deepEqual(activation, ['start']);
  });

  it('completes empty settings to a proxy on loopback', () => {
    const { isValid, settings } = check({});
    assert.equal(isValid, true);
    const listen = { address: '127.0.0.1', port: 6516 };
    assert.deepEqual(settings, { ...DEFAULTS, listen, maxConnections: 512 });
  });

  for (const settings of [
    { unknown: 1 },
    { listen: { host: 'x' } },
    { listen: { port: 65_536 } },
    { connectPorts: [0] },
    { mirrors: [{ upstream: 'http://a/' }] },
    { mirrors: [{ port: 1, upstream: 'ftp://a/' }] },
    { rules: [{ immutable: true }] },
    { rules: [{ match: '*', digestFromUrl: 'crc32' }] },
    { maxConnections: 0 },
  ]) {
    it(`refuses ${JSON.stringify(settings)}`, () => assert.equal(check(settings).isValid, false));
  }

  it('describes every setting', () => {
    const properties = file.peerage.settings['properties'] as Record<string, object>;
    for (const [name, schema] of Object.entries(properties)) {
      assert.equal('description' in schema, true, name);
    }
  });

  it('takes the rules that come with the plugin', async () => {
    const text = await readFile(new URL('rules/immutable.json', ROOT), 'utf8');
    assert.equal(check({ rules: JSON.parse(text) }).isValid, true);
  });

  it('packs everything that the code reads', async () => {
    for (const name of ['clients/apt-proxy-detect', 'rules/immutable.json', file.main]) {
      await access(new URL(name, ROOT));
      assert.equal(file.files.includes(name.split('/')[0] ?? ''), true, name);
    }
  });

  it('explains every error code of the code in its README', async () => {
    const readme = await readFile(new URL('README.md', ROOT), 'utf8');
    const names = (await readdir(new URL('.', ROOT))).filter((name) => name.endsWith('.ts'));
    const sources = await Promise.all(names.map((name) => readFile(new URL(name, ROOT), 'utf8')));
    const codes = new Set(sources.join('').match(/'E_[A-Z_]+'/g));
    assert.equal(codes.size > 15, true);
    const internal = new Set(["'E_OTHER'", "'E_INTERNAL'"]);
    for (const code of codes) {
      if (internal.has(code)) continue;
      assert.equal(readme.includes(code.replaceAll("'", '`')), true, code);
    }
  });
});
