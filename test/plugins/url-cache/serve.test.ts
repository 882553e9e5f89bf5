/** Whole resources: heads and bodies, and what Cache-Status says of them. */
import assert from 'node:assert/strict';
import { Rig } from './rig.js';

const URL_TEXT = 'http://origin.test/file.bin';
const BODY = Buffer.from(Array.from({ length: 1_000 }, (_, index) => index % 251));
const DATE = 'Sun, 01 Nov 2026 10:00:00 GMT';
const HEAD = { etag: '"one"', 'last-modified': DATE, 'content-type': 'text/plain' };

describe('url-cache: a whole resource', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start();
    rig.peering.put(URL_TEXT, { body: BODY, headers: HEAD });
  });
  afterEach(() => rig.stop());

  it('delivers body, length and headers', async () => {
    const answer = await rig.get(URL_TEXT);
    assert.equal(answer.status, 200);
    assert.equal(answer.body, BODY.toString());
    assert.equal(answer.headers['content-length'], '1000');
    assert.equal(answer.headers.etag, '"one"');
    assert.equal(rig.peering.bodies[0]?.isClosed, true);
  });

  it('answers HEAD with the length and no body', async () => {
    const answer = await rig.get(URL_TEXT, {}, 'HEAD');
    assert.equal(rig.peering.last.method, 'HEAD');
    assert.equal(answer.headers['content-length'], '1000');
    assert.equal(answer.body, '');
    assert.equal(rig.peering.bodies[0]?.isClosed, true);
  });

  it('sends a body of unknown size in chunks', async () => {
    rig.peering.put(URL_TEXT, { body: BODY, isSizeKnown: false });
    const answer = await rig.get(URL_TEXT);
    assert.equal(answer.headers['transfer-encoding'], 'chunked');
    assert.equal(answer.body, BODY.toString());
  });

  it('keeps Age and Date as the core returns them', async () => {
    rig.peering.put(URL_TEXT, { body: 'x', headers: { age: '77', date: DATE } });
    const { headers } = await rig.get(URL_TEXT);
    assert.deepEqual([headers.age, headers.date], ['77', DATE]);
  });

  it("passes the origin's own refusals and redirects on", async () => {
    rig.peering.put(URL_TEXT, { status: 302, body: 'go', headers: { location: '/other' } });
    const answer = await rig.get(URL_TEXT);
    assert.deepEqual([answer.status, answer.headers.location], [302, '/other']);
  });

  it('drops a header that cannot be written instead of failing', async () => {
    rig.peering.put(URL_TEXT, { body: 'x', headers: { 'x-bad': 'a\r\nset-cookie: b', ok: '1' } });
    const answer = await rig.get(URL_TEXT);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['ok'], '1');
    assert.equal(answer.headers['x-bad'], undefined);
    assert.equal(answer.headers['set-cookie'], undefined);
  });
});

describe('url-cache: Cache-Status', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start();
    rig.peering.put(URL_TEXT, { body: BODY, headers: HEAD });
  });
  afterEach(() => rig.stop());

  const cases = [
    ['hit', 'peerage; hit'],
    ['peer', 'peerage; fwd=uri-miss; detail=peer'],
    ['origin', 'peerage; fwd=uri-miss; detail=origin'],
    ['collapsed', 'peerage; fwd=uri-miss; collapsed'],
    ['revalidated', 'peerage; fwd=stale; detail=revalidated'],
    ['stale', 'peerage; hit; detail=stale'],
  ] as const;
  for (const [source, status] of cases) {
    it(`says "${status}" for ${source}`, async () => {
      rig.peering.put(URL_TEXT, { body: BODY, source });
      assert.equal((await rig.get(URL_TEXT)).headers['cache-status'], status);
    });
  }

  it('stands after the entries of caches nearer to the origin', async () => {
    rig.peering.put(URL_TEXT, {
      body: '',
      headers: { 'cache-status': 'edge; hit' },
      source: 'hit',
    });
    const { headers } = await rig.get(URL_TEXT);
    assert.equal(headers['cache-status'], 'edge; hit, peerage; hit');
  });
});
