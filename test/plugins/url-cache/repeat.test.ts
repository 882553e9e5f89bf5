/** Requests that are the same as one before: answered by the lease, and by it alone. */
import { deepEqual, equal, match, notEqual } from 'node:assert/strict';
import { collect } from '../../fakes/content.js';
import type { FakeResource } from './fake-peering.js';
import { ask, Rig } from './rig.js';

const URL_TEXT = 'http://origin.test/file.bin';
const RESOURCE: FakeResource = { body: 'leased bytes', headers: { etag: '"one"' }, source: 'hit' };

describe('url-cache: a request like one before', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start({ mirrors: [{ port: 0, upstream: 'http://origin.test/' }] });
    rig.peering.put(URL_TEXT, { ...RESOURCE, leased: true });
  });
  afterEach(() => rig.stop());

  it('gets the same answer without a call', async () => {
    const first = await rig.get(URL_TEXT);
    const second = await rig.get(URL_TEXT);
    equal(rig.peering.requests.length, 1);
    equal(second.body, 'leased bytes');
    deepEqual(second.headers, first.headers);
    match(String(second.headers['cache-status']), /^peerage; hit/);
  });

  it('gets it on a mirror too, and whatever the size', async () => {
    const body = 'x'.repeat(300_000);
    rig.peering.put(URL_TEXT, { ...RESOURCE, body, leased: true });
    for (let round = 0; round < 3; round += 1) {
      equal((await ask(rig.port(0), '/file.bin')).body.length, body.length);
    }
    equal(rig.peering.requests.length, 1);
    rig.peering.put(URL_TEXT, { ...RESOURCE, body: '', leased: true });
    rig.peering.endLeases();
    for (let round = 0; round < 3; round += 1) {
      equal((await ask(rig.port(0), '/file.bin')).headers['content-length'], '0');
    }
    equal(rig.peering.requests.length, 2);
  });

  it('is asked for again as soon as the lease is over', async () => {
    await rig.get(URL_TEXT);
    rig.peering.endLeases();
    rig.peering.put(URL_TEXT, { ...RESOURCE, body: 'newer', leased: true });
    equal((await rig.get(URL_TEXT)).body, 'newer');
    equal((await rig.get(URL_TEXT)).body, 'newer');
    equal(rig.peering.requests.length, 2);
  });

  it('is another one with another header, method or condition', async () => {
    await rig.get(URL_TEXT);
    const others = [
      { 'accept-language': 'de' },
      { range: 'bytes=0-3' },
      { 'if-none-match': '"one"' },
      { authorization: 'Basic eA==' },
      { cookie: 'a=b' },
    ];
    for (const headers of others) await rig.get(URL_TEXT, headers);
    await rig.get(URL_TEXT, {}, 'HEAD');
    equal(rig.peering.requests.length, 2 + others.length);
    equal((await rig.get(URL_TEXT, { range: 'bytes=0-3' })).body, 'leas');
    equal((await rig.get(URL_TEXT, { 'if-none-match': '"one"' })).status, 304);
  });

  it('is not taken for one inside a tunnel, where the same path means another host', async () => {
    const plain = (host: string) => {
      const inner = `GET /file.bin HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
      return rig.raw(`CONNECT ${host}:80 HTTP/1.1\r\nhost: ${host}:80\r\n\r\n`, inner);
    };
    rig.peering.put('http://other.test/file.bin', { ...RESOURCE, body: 'other', leased: true });
    match(await plain('origin.test'), /leased bytes/);
    match(await plain('other.test'), /other/);
    match(await plain('origin.test'), /leased bytes/);
    equal(rig.peering.requests.length, 3);
  });

  it('is never a request with two hosts, or one that came round in a circle', async () => {
    await rig.get(URL_TEXT);
    const line = `GET ${URL_TEXT} HTTP/1.1\r\nconnection: close\r\n`;
    match(await rig.raw(`${line}host: origin.test\r\nhost: b\r\n\r\n`), /E_HOST_INVALID/);
    const via = String((await rig.get(URL_TEXT)).headers.via);
    notEqual((await rig.get(URL_TEXT, { via })).status, 200);
  });

  it('lends its body to nobody else: each answer reads its own', async () => {
    const [one, two] = await Promise.all([rig.get(URL_TEXT), rig.get(URL_TEXT)]);
    deepEqual([one.body, two.body], ['leased bytes', 'leased bytes']);
    for (const body of rig.peering.bodies) {
      equal(body.isClosed, true);
      equal((await collect(body)).length, 0);
    }
  });
});
