/** Wildcards: what matches, and that no pattern is slow. */
import assert from 'node:assert/strict';
import { Wildcard } from '@peerage/url-cache/match.js';

describe('url-cache: wildcards', () => {
  const cases: ReadonlyArray<readonly [string, string, boolean]> = [
    ['*', '', true],
    ['*', 'http://a/', true],
    ['abc', 'abc', true],
    ['abc', 'abcd', false],
    ['a*c', 'ac', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abcd', false],
    ['a*a', 'a', false],
    ['ab*ba', 'aba', false],
    ['*/pool/*.deb', 'http://m/debian/pool/main/a/a_1%2b2.deb', true],
    ['*/pool/*.deb', 'http://m/debian/pool/main/a/a.deb.sig', false],
    ['*b*b*', 'ab', false],
    ['*b*b*', 'abab', true],
    ['**', 'x', true],
    ['a.c', 'abc', false],
    ['*?v=*', 'http://a/b?v=1', true],
    ['*?v=*', 'http://a/bxv=1', false],
  ];
  for (const [pattern, text, expected] of cases) {
    it(`${pattern} ${expected ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () => {
      assert.equal(new Wildcard(pattern).matches(text), expected);
    });
  }

  it('does not backtrack on a hostile text', () => {
    const wildcard = new Wildcard(`${'*a'.repeat(256)}*b`);
    const start = process.cpuUsage();
    assert.equal(wildcard.matches('a'.repeat(16_384)), false);
    assert.equal(process.cpuUsage(start).user < 500_000, true);
  });
});
