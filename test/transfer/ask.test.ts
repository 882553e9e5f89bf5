/** The first step of the request path: what cannot be asked for is refused, the rest is made plain. */
import assert from 'node:assert/strict';
import { normalise } from '@peerage/core/transfer/ask.js';

const ask = (url: string, more = {}) => normalise('test', { url, ...more });

describe('the URL of a request', () => {
  const plain: Array<[string, string]> = [
    ['http://origin.example/a', 'http://origin.example/a'],
    ['HTTPS://ORIGIN.example:443/a/../b', 'https://origin.example/b'],
    ['http://origin.example', 'http://origin.example/'],
    ['http://origin.example:80/?q#fragment', 'http://origin.example/?q'],
    ['http://origin.example/#', 'http://origin.example/'],
    ['http:\\\\origin.example\\a', 'http://origin.example/a'],
    ['http://origin.example/a b', 'http://origin.example/a%20b'],
    [' http://origin.example/a\n', 'http://origin.example/a'],
    ['http://0x7f.1/', 'http://127.0.0.1/'],
    ['http://[::FFFF:127.0.0.1]/', 'http://[::ffff:7f00:1]/'],
  ];
  for (const [given, expected] of plain) {
    it(`is made plain: ${JSON.stringify(given)}`, () => assert.equal(ask(given).url, expected));
  }

  const refused = [
    '',
    'origin.example/a',
    '/a',
    '//origin.example/a',
    'ftp://origin.example/a',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'data:text/plain,a',
    'unix:/run/socket:/a',
    'http://user@origin.example/',
    'http://user:secret@origin.example/',
    'http://:@origin.example/'.replace(':@', ':x@'),
    'http:///',
    'http://origin.example:99999/',
    'http://[::1',
    'http://a b/',
    `http://origin.example/${'a'.repeat(8192)}`,
  ];
  for (const url of refused) {
    it(`is refused: ${url.slice(0, 60)}`, () => {
      assert.throws(() => ask(url), { code: 'E_URL_INVALID' });
    });
  }

  it('is too long to be asked for in a packet, but not to be fetched', () => {
    assert.equal(ask(`https://origin.example/${'a'.repeat(600)}`).askPeers, true);
    assert.equal(ask(`https://origin.example/${'a'.repeat(7000)}`).askPeers, false);
  });
});

describe('the part that a request wants', () => {
  const url = 'http://origin.example/a';

  it('is from the first byte to the last, where nothing is said', () => {
    const { startByte, endByte } = ask(url);
    assert.deepEqual([startByte, endByte], [0, undefined]);
    assert.equal(ask(url, { startByte: 5, lengthBytes: 10 }).endByte, 15);
    assert.equal(ask(url, { lengthBytes: 0 }).endByte, 0);
  });

  it('is refused where it is no number of bytes', () => {
    for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      assert.throws(() => ask(url, { startByte: wrong }), { code: 'E_RANGE_INVALID' });
      assert.throws(() => ask(url, { lengthBytes: wrong }), { code: 'E_RANGE_INVALID' });
    }
  });
});

describe('the headers of a request', () => {
  it('loses those that are ours to send, in whatever case', () => {
    const headers = {
      Host: 'evil.example',
      Connection: 'close',
      'If-None-Match': '"a"',
      RANGE: 'bytes=0-1',
      'Transfer-Encoding': 'chunked',
      'Content-Length': '5',
      Expect: '100-continue',
      'Proxy-Authorization': 'x',
      Accept: 'text/html',
      'User-Agent': 'curl',
    };
    const { headers: kept } = ask('http://origin.example/a', { headers });
    assert.deepEqual(kept, { accept: 'text/html', 'user-agent': 'curl' });
  });

  it('makes a request personal by Authorization, Cookie, or the policy', () => {
    const url = 'https://origin.example/a';
    for (const more of [
      { headers: { AUTHORIZATION: 'x' } },
      { headers: { cookie: 'x' } },
      { policy: { unshared: true } },
    ]) {
      const { personal, askPeers } = ask(url, more);
      assert.deepEqual([personal, askPeers], [true, false]);
    }
    assert.equal(ask(url).personal, false);
  });

  it('keeps requests apart that may not share a download', () => {
    const url = 'https://origin.example/a';
    const digest = { algorithm: 'sha256', hex: 'ab' } as const;
    const keys = [
      ask(url),
      ask(url, { headers: { accept: 'x' } }),
      ask(url, { policy: { digest } }),
      ask(`${url}b`),
    ].map(({ key }) => key);
    assert.equal(new Set(keys).size, keys.length);
    assert.equal(ask(url, { headers: { 'user-agent': 'x' } }).key, ask(url).key);
  });
});
