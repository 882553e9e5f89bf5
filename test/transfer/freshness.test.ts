/** The rules of a shared cache (RFC 9111, 5861, 8246) and ours, as tables: the reason in each row. */
import assert from 'node:assert/strict';
import {
  deliveredHeaders,
  expiresAt,
  type Headers,
  isFresh,
  isPersonal,
  isShareable,
  isStorable,
  rangeValidator,
  refreshed,
  requestVariant,
  responseVariant,
  storableHeaders,
  usableOnError,
  validators,
} from '@peerage/core/transfer/freshness.js';

const URL_A = 'https://origin.example/a';
const NOW = Date.parse('2026-07-22T12:00:00Z');
const SECOND = 1000;
const DAY = 86_400;
const at = (seconds: number) => new Date(NOW + seconds * SECOND).toUTCString();
const stored = (headers: Headers) => ({ url: URL_A, status: 200, headers, fetchedAt: NOW });

describe('whether a response may be stored', () => {
  const cases: Array<[reason: string, expected: boolean, response: Headers, request?: Headers]> = [
    ['§3: explicit lifetime', true, { 'cache-control': 'max-age=60' }],
    ['§3: a validator is enough to revalidate with', true, { etag: '"a"' }],
    ['§3: Last-Modified is one too', true, { 'last-modified': at(-DAY) }],
    ['§3: 200 is heuristically cacheable', true, { 'content-type': 'text/plain' }],
    [
      '§5.2.2.4: no-cache may be stored, it is revalidated',
      true,
      { 'cache-control': 'no-cache', etag: '"a"' },
    ],
    ['§5.2.2.5: no-store', false, { 'cache-control': 'no-store', etag: '"a"' }],
    ['§5.2.2.7: private', false, { 'cache-control': 'private, max-age=60' }],
    ['§5.2.2.7: private with fields is private to us', false, { 'cache-control': 'private="x"' }],
    ['§5.2: directives are case-insensitive', false, { 'cache-control': 'No-Store' }],
    ['§5.2.1.5: no-store in the request', false, { etag: '"a"' }, { 'cache-control': 'no-store' }],
    ['§3.5: Authorization', false, { 'cache-control': 'max-age=60' }, { authorization: 'Basic x' }],
    [
      'ours: Authorization even where public allows it',
      false,
      { 'cache-control': 'public' },
      { authorization: 'x' },
    ],
    ['ours: Cookie', false, { 'cache-control': 'max-age=60' }, { cookie: 'a=b' }],
    ['ours: Set-Cookie', false, { 'cache-control': 'max-age=60', 'set-cookie': 'a=b' }],
  ];
  for (const [reason, expected, response, request = {}] of cases) {
    it(`${expected ? 'may' : 'must not'}: ${reason}`, () => {
      assert.equal(isStorable(URL_A, request, 200, response, false), expected);
    });
  }

  it('only ever 200, whatever else is said', () => {
    for (const status of [201, 203, 204, 206, 301, 302, 304, 404, 410, 500, 503]) {
      const headers = { 'cache-control': 'max-age=60', etag: '"a"' };
      assert.equal(isStorable(URL_A, {}, status, headers, true), false, String(status));
    }
  });

  it('an immutable URL needs no header that allows it, but respects one that forbids it', () => {
    assert.equal(isStorable(URL_A, {}, 200, {}, true), true);
    assert.equal(isStorable(URL_A, {}, 200, { 'cache-control': 'no-store' }, true), false);
    assert.equal(isStorable(URL_A, {}, 200, { 'cache-control': 'private' }, true), false);
  });
});

describe('how long a stored response is fresh', () => {
  const cases: Array<[reason: string, seconds: number, headers: Headers]> = [
    ['§4.2.1: max-age', 60, { 'cache-control': 'max-age=60' }],
    ['§4.2.1: s-maxage before max-age', 30, { 'cache-control': 'max-age=60, s-maxage=30' }],
    [
      '§4.2.1: max-age before Expires',
      60,
      { 'cache-control': 'max-age=60', expires: at(10), date: at(0) },
    ],
    ['§5.3: Expires less Date', 100, { expires: at(100), date: at(0) }],
    ['§5.3: an invalid Expires is in the past', 0, { expires: '0', date: at(0) }],
    ['§5.3: Expires before Date', 0, { expires: at(-5), date: at(0) }],
    ['§4.2.3: the Age that other caches gave it', 40, { 'cache-control': 'max-age=60', age: '20' }],
    ['§4.2.3: older than its lifetime already', 0, { 'cache-control': 'max-age=60', age: '90' }],
    ['§5.1: an invalid Age is none', 60, { 'cache-control': 'max-age=60', age: 'old' }],
    ['§5.2.2.4: no-cache', 0, { 'cache-control': 'no-cache, max-age=60' }],
    [
      '§4.2.2: a tenth of its age, where nothing is said',
      DAY,
      { 'last-modified': at(-10 * DAY), date: at(0) },
    ],
    ['§4.2.2: nothing to go by', 0, { etag: '"a"' }],
    ['§4.2.1: nonsense is no lifetime', 0, { 'cache-control': 'max-age=soon', etag: '"a"' }],
    ['ours: a year at most', 365 * DAY, { 'cache-control': 'max-age=99999999999' }],
  ];
  for (const [reason, seconds, headers] of cases) {
    it(`${seconds} s: ${reason}`, () => {
      assert.equal((expiresAt(stored(headers), false) - NOW) / SECOND, seconds);
    });
  }

  it('a year if its URL always names the same bytes', () => {
    const until = expiresAt(stored({ 'cache-control': 'no-cache' }), true);
    assert.equal((until - NOW) / SECOND, 365 * DAY);
  });
});

describe('whether a stored response answers a request', () => {
  const fresh: Headers = { 'cache-control': 'max-age=60' };
  const cases: Array<[string, boolean, Headers, number, Headers?]> = [
    ['§4.2: fresh', true, fresh, 59],
    ['§4.2: stale to the second', false, fresh, 60],
    ['§5.2.1.4: no-cache in the request', false, fresh, 0, { 'cache-control': 'no-cache' }],
    ['§5.4: Pragma: no-cache', false, fresh, 0, { pragma: 'no-cache' }],
    ['§5.2.1.1: max-age not reached', true, fresh, 10, { 'cache-control': 'max-age=10' }],
    ['§5.2.1.1: max-age exceeded', false, fresh, 11, { 'cache-control': 'max-age=10' }],
    ['§5.2.1.1: max-age=0 means revalidate', false, fresh, 1, { 'cache-control': 'max-age=0' }],
    [
      '§5.2.1.1: max-age counts the Age it came with',
      false,
      { ...fresh, age: '20' },
      0,
      { 'cache-control': 'max-age=10' },
    ],
    ['§5.2.1.3: min-fresh left', true, fresh, 30, { 'cache-control': 'min-fresh=30' }],
    ['§5.2.1.3: min-fresh not left', false, fresh, 31, { 'cache-control': 'min-fresh=30' }],
    [
      '§5.2.2.2: must-revalidate while fresh',
      true,
      { 'cache-control': 'max-age=60, must-revalidate' },
      59,
    ],
    [
      '§5.2.2.2: must-revalidate when stale',
      false,
      { 'cache-control': 'max-age=60, must-revalidate' },
      61,
    ],
  ];
  for (const [reason, expected, headers, seconds, request = {}] of cases) {
    it(`${expected ? 'does' : 'does not'}: ${reason}`, () => {
      const now = NOW + seconds * SECOND;
      assert.equal(isFresh(stored(headers), request, false, now), expected);
    });
  }

  it('does where the URL always names the same bytes, whatever the request says (RFC 8246)', () => {
    const request = { 'cache-control': 'no-cache, max-age=0', pragma: 'no-cache' };
    assert.equal(isFresh(stored({}), request, true, NOW + 1e12), true);
  });
});

describe('whether a stale response may stand in for an origin that fails', () => {
  const cases: Array<[string, boolean, string, number]> = [
    ['ours: a day where nothing is said', true, 'max-age=60', 60 + DAY],
    ['ours: no longer', false, 'max-age=60', 61 + DAY],
    ['RFC 5861 §4: stale-if-error', true, 'max-age=60, stale-if-error=100', 160],
    ['RFC 5861 §4: exceeded', false, 'max-age=60, stale-if-error=100', 161],
    ['§5.2.2.2: must-revalidate', false, 'max-age=60, must-revalidate', 61],
    ['§5.2.2.8: proxy-revalidate', false, 'max-age=60, proxy-revalidate', 61],
    ['§5.2.2.4: no-cache', false, 'no-cache', 1],
    ['§5.2.2.10: s-maxage says proxy-revalidate', false, 's-maxage=60', 61],
    ['RFC 5861 §4: allowed beside s-maxage', true, 's-maxage=60, stale-if-error=100', 61],
  ];
  for (const [reason, expected, control, seconds] of cases) {
    it(`${expected ? 'may' : 'must not'}: ${reason}`, () => {
      const response = stored({ 'cache-control': control });
      assert.equal(usableOnError(response, NOW + seconds * SECOND), expected);
    });
  }
});

describe('variants (§4.1)', () => {
  it('one key per value of the headers that responses vary by, whatever else is sent', () => {
    const plain = requestVariant({ accept: '*/*', 'user-agent': 'a' });
    assert.equal(plain, requestVariant({ 'user-agent': 'b', accept: '*/*' }));
    assert.notEqual(plain, requestVariant({ accept: 'text/html' }));
    assert.notEqual(requestVariant({ accept: 'x' }), requestVariant({ 'accept-encoding': 'x' }));
  });

  const cases: Array<[string, string | undefined, string | undefined]> = [
    ['does not vary', undefined, '*'],
    ['an empty list', ' , ', '*'],
    ['varies by what is in the key', 'Accept-Encoding, ACCEPT', 'mine'],
    ['varies by something else', 'accept-encoding, user-agent', undefined],
    ['§4.1: * never matches', '*', undefined],
    ['by the cookie', 'Cookie', undefined],
  ];
  for (const [reason, vary, expected] of cases) {
    it(`${expected ?? 'not stored'}: ${reason}`, () => {
      assert.equal(responseVariant(vary === undefined ? {} : { vary }, 'mine'), expected);
    });
  }
});

describe('what leaves the node', () => {
  it('is what came over TLS, or what somebody can verify', () => {
    const digest = { algorithm: 'sha256', hex: '00' } as const;
    assert.equal(isShareable(true, {}), true);
    assert.equal(isShareable(false, {}), false);
    assert.equal(isShareable(false, { digest }), true);
    assert.equal(isShareable(false, { clientVerifies: true }), true);
    assert.equal(isShareable(true, { unshared: true }), false);
    assert.equal(isShareable(false, { digest, unshared: true }), false);
    assert.equal(isPersonal({ authorization: '' }), true);
    assert.equal(isPersonal({ cookie: '' }), true);
    assert.equal(isPersonal({ accept: '*/*' }), false);
  });
});

describe('headers', () => {
  it('keeps no hop-by-hop header, nor one that Connection names, nor one that cannot be sent', () => {
    const kept = storableHeaders({
      'content-type': 'text/plain',
      connection: 'X-Hop, close',
      'x-hop': '1',
      'transfer-encoding': 'chunked',
      'set-cookie': 'a=b',
      'x-split': 'a\r\nset-cookie: b',
      'x-wide': 'ā',
      'x-latin': 'é',
      'bad name': 'x',
      age: '5',
    });
    assert.deepEqual(kept, { 'content-type': 'text/plain', 'x-latin': 'é', age: '5' });
  });

  it('delivers a stored response with its true age and size', () => {
    const headers = { age: '20', 'content-length': '5', te: 'x', etag: '"a"' };
    const delivered = deliveredHeaders({ ...stored(headers), sizeBytes: 700 }, NOW + 10_500);
    assert.deepEqual(delivered, { age: '30', 'content-length': '700', etag: '"a"' });
    assert.equal(deliveredHeaders({ ...stored({}), sizeBytes: 1 }, NOW - 5000)['age'], '0');
  });

  it('revalidates by ETag and date, and continues only by what is strong', () => {
    const both = { etag: 'W/"a"', 'last-modified': at(-DAY) };
    assert.deepEqual(validators(both), { 'if-none-match': 'W/"a"', 'if-modified-since': at(-DAY) });
    assert.deepEqual(validators({}), {});
    assert.equal(rangeValidator(both), at(-DAY));
    assert.equal(rangeValidator({ etag: '"a"', 'last-modified': at(-DAY) }), '"a"');
    assert.equal(rangeValidator({ etag: 'W/"a"' }), undefined);
  });

  it('takes over what a 304 says, but not about the bytes (§4.3.4)', () => {
    const before = { etag: '"a"', age: '9', 'content-length': '5', 'x-old': '1' };
    const update = {
      'cache-control': 'max-age=5',
      'content-length': '0',
      'content-encoding': 'br',
    };
    assert.deepEqual(refreshed(before, update), {
      etag: '"a"',
      'content-length': '5',
      'x-old': '1',
      'cache-control': 'max-age=5',
    });
  });
});
