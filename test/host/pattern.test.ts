/** Wildcard patterns and grants: what a plugin may ask for, decided fast whatever is written. */
import assert from 'node:assert/strict';
import { SeededRandom } from '@peerage/core/base/random.js';
import { Grant } from '@peerage/core/host/grant.js';
import type { PluginGrant, PluginManifest } from '@peerage/sdk';
import { matches, PatternSet, specificity } from '@peerage/sdk/pattern.js';

/** The obvious definition, slow: `*` is any run of characters. */
function matchesByDefinition(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  const [first = '', rest] = [pattern[0], pattern.slice(1)];
  if (first !== '*') return text[0] === first && matchesByDefinition(rest, text.slice(1));
  for (let i = 0; i <= text.length; i += 1) {
    if (matchesByDefinition(rest, text.slice(i))) return true;
  }
  return false;
}

describe('a wildcard pattern', () => {
  const cases: Array<[pattern: string, text: string, expected: boolean]> = [
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['**', 'anything', true],
    ['a', 'a', true],
    ['a', 'aa', false],
    ['a*', 'a', true],
    ['*a', 'ba', true],
    ['*a', 'ab', false],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'acb', false],
    ['https://*.example/*', 'https://a.b.example/c', true],
    ['https://*.example/*', 'https://example/c', false],
    ['https://registry.example/*', 'https://registry.example.evil/', false],
    ['http?://a.example/', 'https://a.example/', false],
    ['a.c', 'abc', false],
    ['[a-z]', 'b', false],
    ['a\\*', 'a\\b', true],
    ['*/pool/*.deb', 'http://m.example/debian/pool/a/b.deb', true],
    ['HTTPS://A.example/', 'https://a.example/', false],
  ];
  for (const [pattern, text, expected] of cases) {
    it(`${JSON.stringify(pattern)} ${expected ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () => {
      assert.equal(matches(pattern, text), expected);
    });
  }

  it('agrees with the definition on thousands of patterns (seed 17)', () => {
    const random = new SeededRandom(17);
    const word = (alphabet: string, length: number) => {
      const letters = Array.from({ length }, () => alphabet[random.uint32() % alphabet.length]);
      return letters.join('');
    };
    let matched = 0;
    for (let i = 0; i < 20_000; i += 1) {
      const pattern = word('ab*', random.uint32() % 8);
      const text = word('ab', random.uint32() % 10);
      const expected = matchesByDefinition(pattern, text);
      assert.equal(matches(pattern, text), expected, `${pattern} on ${text}`);
      if (expected) matched += 1;
    }
    assert.ok(matched > 1000);
  });

  it('takes its time in proportion, where a regular expression would never end', () => {
    const text = `https://origin.example/${'a'.repeat(8000)}`;
    const worst = [`${'*a'.repeat(500)}b`, `${'a*'.repeat(400)}b`, `*${'*a*'.repeat(300)}b`];
    const startedAt = performance.now();
    for (const pattern of worst) assert.equal(matches(pattern, text), false);
    assert.ok(performance.now() - startedAt < 2000, 'three worst cases within two seconds');
  });

  it('is the more specific, the more characters it fixes', () => {
    assert.equal(specificity('*'), 0);
    assert.ok(specificity('https://a.example/*') > specificity('https://*'));
  });
});

describe('a set of patterns', () => {
  it('finds the most specific one that matches, as asking each of them would (seed 23)', () => {
    const random = new SeededRandom(23);
    const pick = <T>(values: readonly T[]) => values[random.uint32() % values.length] as T;
    const heads = ['', '*', 'http*', 'https://', 'https://a.example', 'https://a.example/', '*://'];
    const middles = ['*', 'a', 'b.example/*', '/pool/', '/pool/*', 'a.example/*', '/'];
    const word = () => `${pick(heads)}${pick(middles)}${pick(middles)}`;
    let found = 0;
    for (let round = 0; round < 3000; round += 1) {
      const patterns = Array.from({ length: 1 + (random.uint32() % 12) }, word);
      const text = word().replaceAll('*', pick(['', 'x', 'a.example/', '/pool/']));
      const fitting = patterns.filter((pattern) => matches(pattern, text));
      const [best] = fitting.sort((a, b) => specificity(b) - specificity(a));
      const one = new PatternSet(patterns).find(text);
      assert.equal(one, best, `${patterns} on ${text}`);
      if (one !== undefined) found += 1;
    }
    assert.ok(found > 500);
  });
});

describe('a grant', () => {
  const manifest = (urls: string[]): PluginManifest => ({
    api: 1,
    id: 'demo',
    displayName: '',
    urls,
    election: 'none',
    activation: ['start'],
    settings: {},
  });
  const grantOf = (urls: string[], grant: PluginGrant = {}) => new Grant(manifest(urls), grant);

  it('is what the manifest wishes, narrowed by the admin, never widened', () => {
    const wishes = ['https://a.example/*', 'https://b.example/*'];
    const open = grantOf(wishes);
    const narrow = grantOf(wishes, { urls: ['https://a.example/pool/*', 'https://c.example/*'] });
    const nothing = grantOf(wishes, { urls: [] });
    const may = (grant: Grant, url: string) => grant.precedence(url) !== undefined;
    assert.equal(may(open, 'https://b.example/x'), true);
    assert.equal(may(open, 'https://c.example/x'), false);
    assert.equal(may(narrow, 'https://a.example/pool/x'), true);
    assert.equal(may(narrow, 'https://a.example/x'), false);
    assert.equal(may(narrow, 'https://c.example/x'), false);
    assert.equal(may(nothing, 'https://a.example/x'), false);
  });

  it('refuses with a code, names what would be allowed, and counts', () => {
    const grant = grantOf(['https://a.example/*']);
    assert.throws(
      () => grant.demand('https://evil.example/'),
      (error: Error) => {
        assert.equal((error as { code?: string }).code, 'E_URL_NOT_GRANTED');
        assert.match((error as { expected?: string }).expected ?? '', /a\.example/);
        return true;
      },
    );
    assert.equal(grant.counters.get('denied-urls'), 1);
    grant.demand('https://a.example/x');
    assert.equal(grant.counters.get('denied-urls'), 1);
  });

  it('ranks plugins by the best of their own patterns', () => {
    const all = grantOf(['*']).precedence('https://a.example/x') ?? -1;
    const exact = grantOf(['*', 'https://a.example/*']).precedence('https://a.example/x') ?? -1;
    assert.ok(exact > all);
    assert.equal(all, 0);
  });
});
