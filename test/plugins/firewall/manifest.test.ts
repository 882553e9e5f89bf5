/** The manifest: that it names what the code uses, and completes and checks settings. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { type FirewallSettings, intervalMs, judgeSources } from '@peerage/firewall/settings.js';
import { Ajv } from 'ajv';
import { source } from './node.js';
import { manifest } from './programs.js';

const ROOT = new URL('.', import.meta.resolve('@peerage/firewall/package.json'));

describe('firewall: the manifest', () => {
  const check = (settings: unknown) => {
    const validate = new Ajv({ useDefaults: true, strict: true }).compile(manifest().settings);
    return { isValid: validate(settings), settings: settings as FirewallSettings };
  };
  const listed = { name: 'own', format: 'list', url: 'https://a.test/' };

  it('completes empty settings: all directions, no sources, careful bounds', () => {
    const { isValid, settings } = check({});
    assert.equal(isValid, true);
    assert.deepEqual(settings, {
      ...{ sources: [], allow: [], sshPorts: [22] },
      nftables: { enabled: true, directions: ['input', 'forward', 'output'] },
      probe: { connect: [], peerPort: 6515, confirmSeconds: 10 },
    });
    const one = check({ sources: [{ ...listed }] }).settings.sources[0];
    assert.equal(one?.unauthenticated, undefined);
    assert.deepEqual([one?.maxShrinkPercent, one?.widest4, one?.widest6], [50, 8, 19]);
  });

  for (const settings of [
    { unknown: 1 },
    { sources: [{ ...listed, name: '../x' }] },
    { sources: [{ ...listed, url: 'ftp://a.test/' }] },
    { sources: [{ ...listed, format: 'nft' }] },
    { sources: [{ ...listed, unauthenticated: true }] },
    { sources: [{ ...listed, widest4: 0 }] },
    { nftables: { directions: ['prerouting'] } },
    { file: {} },
  ]) {
    it(`refuses ${JSON.stringify(settings)}`, () => assert.equal(check(settings).isValid, false));
  }

  it('names every program that the code runs, and none that it does not', () => {
    const names = (manifest().permissions?.programs ?? []).map(({ name }) => name);
    const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' });
    const sources = files.filter((name) => name.endsWith('.ts') && !/dist|node_modules/.test(name));
    const text = sources.map((name) => readFileSync(new URL(name, ROOT), 'utf8')).join('');
    for (const name of names) assert.equal(text.includes(`'${name}'`), true, name);
    for (const [, name = ''] of text.matchAll(/\.run\('([a-z-]+)'/g)) {
      assert.equal(names.includes(name), true, name);
    }
  });

  it('keeps the manners of each publisher whatever the settings say', () => {
    const at = (format: 'list' | 'spamhaus' | 'csv' | 'suricata', intervalSeconds?: number) =>
      intervalMs(
        source({ format, ...(intervalSeconds === undefined ? {} : { intervalSeconds }) }),
      ) / 1000;
    assert.deepEqual([at('spamhaus'), at('spamhaus', 10)], [86_400, 3600]);
    assert.deepEqual([at('csv', 10), at('suricata', 10), at('list', 10)], [300, 900, 10]);
  });

  it('says what contradicts itself in the sources', () => {
    const { settings } = check({ sources: [listed] });
    const [one = source()] = settings.sources;
    assert.throws(() => judgeSources({ ...settings, sources: [one, one] }), /two of that name/);
    const rules = { ...one, format: 'suricata' as const };
    assert.throws(() => judgeSources({ ...settings, sources: [rules] }), /no "suricata"/);
    const signed = { ...rules, minisignKey: 'x' };
    assert.throws(() => judgeSources({ ...settings, sources: [signed] }), /no \.minisig/);
  });
});
