/** The request path with a real store and a real origin: what is fetched, kept, reused and given. */
import assert from 'node:assert/strict';
import { collect, contentOf } from '../fakes/content.js';
import type { ContentNode } from '../fakes/content-node.js';
import { isRight, SHARED, useRig } from './rig.js';

const KIB = 1024;
const content = contentOf('request', 900 * KIB);
const FRESH = { 'cache-control': 'max-age=60', etag: '"one"' };

describe('a resource of an origin', () => {
  const rig = useRig();

  it('is fetched once, and then served from the store while it is fresh', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, origin.url('/a'), 'origin', content);
    for (let i = 0; i < 3; i += 1) await isRight(node, origin.url('/a'), 'hit', content);
    assert.equal(origin.count('/a'), 1);
    node.clock.advance(10_000);
    const { headers } = await node.get(origin.url('/a'));
    assert.equal(headers.get('age'), '10');
    assert.equal(headers.get('content-length'), String(content.length));
  });

  it('is revalidated when it is stale: 304 costs no bytes', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const resource = origin.serve('/a', { content, headers: { ...FRESH } });
    await isRight(node, origin.url('/a'), 'origin', content);
    node.clock.advance(61_000);
    resource.headers['x-new'] = 'yes';
    const { source, bytes, headers } = await node.get(origin.url('/a'));
    assert.equal(source, 'revalidated');
    assert.ok(bytes.equals(content));
    assert.equal(headers.get('x-new'), 'yes');
    assert.equal(origin.last('/a').headers['if-none-match'], '"one"');
    await isRight(node, origin.url('/a'), 'hit', content);
    assert.equal(origin.count('/a'), 2);
    const { counters } = node.path.status();
    assert.equal(counters['bytes-from-origin'], content.length);
  });

  it('is replaced when the origin has another one', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const resource = origin.serve('/a', { content, headers: FRESH });
    await isRight(node, origin.url('/a'), 'origin', content);
    node.clock.advance(61_000);
    resource.content = contentOf('second', 5000);
    resource.headers = { ...FRESH, etag: '"two"' };
    await isRight(node, origin.url('/a'), 'origin', resource.content);
    await isRight(node, origin.url('/a'), 'hit', resource.content);
    assert.equal(node.store.objects, 1);
  });

  it('stands in when the origin fails, for a day, and is not passed off as fresh', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, origin.url('/a'), 'origin', content);
    node.clock.advance(61_000);
    origin.on('/a', (_request, response) => void response.writeHead(503).end('down'));
    await isRight(node, origin.url('/a'), 'stale', content);
    origin.on('/a', (request) => request.socket.destroy());
    await isRight(node, origin.url('/a'), 'stale', content);
    node.clock.advance(25 * 3600 * 1000);
    await assert.rejects(node.get(origin.url('/a')), { code: 'E_ORIGIN_UNREACHABLE' });
  });

  it('is not asked for again where its URL always names the same bytes', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const request = { policy: { immutable: true }, headers: { 'cache-control': 'no-cache' } };
    origin.serve('/a', { content, headers: { 'cache-control': 'no-cache' } });
    await isRight(node, origin.url('/a'), 'origin', content, request);
    node.clock.advance(300 * 86_400_000);
    await isRight(node, origin.url('/a'), 'hit', content, request);
    assert.equal(origin.count('/a'), 1);
  });

  it('passes other answers through as they are, and keeps none', async () => {
    const { origin } = rig();
    const node = await rig().node();
    for (const status of [301, 302, 404, 500]) {
      origin.on('/a', (_request, response) => {
        response.writeHead(status, { location: '/b', 'cache-control': 'max-age=60' }).end('x');
      });
      const got = await node.get(origin.url('/a'));
      assert.deepEqual([got.status, got.bytes.toString()], [status, 'x']);
      assert.equal(got.headers.get('location'), '/b');
    }
    assert.equal(origin.count('/a'), 4);
    assert.equal(node.store.objects, 0);
  });
});

describe('twenty requests at once', () => {
  const rig = useRig();

  async function askTwenty(node: ContentNode, url: string, request = {}): Promise<string[]> {
    const got = await Promise.all(Array.from({ length: 20 }, () => node.get(url, request)));
    for (const { bytes } of got) assert.ok(bytes.equals(content));
    return got.map(({ source }) => source);
  }

  it('are one request to the origin', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    const sources = await askTwenty(node, origin.url('/a'));
    assert.equal(origin.count('/a'), 1);
    assert.deepEqual(sources.sort(), [...Array(19).fill('collapsed'), 'origin']);
  });

  it('are one revalidation', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, origin.url('/a'), 'origin', content);
    node.clock.advance(61_000);
    await askTwenty(node, origin.url('/a'));
    assert.equal(origin.count('/a'), 2);
  });

  it('get an answer each where one client’s must not be given to another', async () => {
    const { origin } = rig();
    const node = await rig().node();
    let served = 0;
    origin.on('/a', (_request, response) => {
      served += 1;
      response.setHeader('cache-control', 'private');
      response.end(`for client ${served}`);
    });
    const got = await Promise.all(Array.from({ length: 20 }, () => node.get(origin.url('/a'))));
    assert.equal(new Set(got.map(({ bytes }) => bytes.toString())).size, 20);
    assert.equal(node.store.objects, 0);
  });

  it('all get theirs also where the bytes are too many to be kept', async () => {
    const { origin } = rig();
    const node = await rig().node({ quotaBytes: 100 * KIB });
    origin.serve('/a', { content, headers: FRESH });
    await askTwenty(node, origin.url('/a'));
    assert.equal(node.store.objects, 0);
  });

  it('learn all that the origin cannot be reached', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.on('/a', (request) => request.socket.destroy());
    const asking = Array.from({ length: 20 }, () => node.get(origin.url('/a')));
    for (const outcome of await Promise.allSettled(asking)) {
      assert.equal(outcome.status, 'rejected');
      assert.equal(outcome.reason.code, 'E_ORIGIN_UNREACHABLE');
    }
  });
});

describe('what must not be kept', () => {
  const rig = useRig();
  const cases: Array<[string, Record<string, string>, Record<string, string>]> = [
    ['no-store', { 'cache-control': 'no-store' }, {}],
    ['private', { 'cache-control': 'private, max-age=60' }, {}],
    ['Set-Cookie', { ...FRESH, 'set-cookie': 'a=b' }, {}],
    ['Vary: *', { ...FRESH, vary: '*' }, {}],
    ['a request with Authorization', FRESH, { authorization: 'Basic x' }],
    ['a request with Cookie', FRESH, { cookie: 'a=b' }],
    ['a request with no-store', FRESH, { 'cache-control': 'no-store' }],
  ];
  for (const [what, response, headers] of cases) {
    it(`is neither kept nor asked of peers: ${what}`, async () => {
      const { origin } = rig();
      const node = await rig().node();
      origin.serve('/a', { content, headers: response });
      const request = { headers, ...SHARED };
      for (let i = 0; i < 2; i += 1)
        await isRight(node, origin.url('/a'), 'origin', content, request);
      assert.equal(origin.count('/a'), 2);
      assert.equal(node.store.objects, 0);
      const query = { href: origin.url('/a'), variant: '*', stale: true, ageMaxMs: undefined };
      assert.equal(node.path.copies.find(query), undefined);
      const personal = 'authorization' in headers || 'cookie' in headers;
      assert.equal(node.lan.wants.length, personal ? 0 : 2);
    });
  }

  it('gives a client all its cookies, each as it was set', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.on('/a', (_request, response) => {
      response.setHeader('set-cookie', ['a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT', 'b=2']);
      response.end('x');
    });
    for (const method of ['GET', 'HEAD'] as const) {
      const { headers, body } = await node.open(origin.url('/a'), { method });
      const cookies = headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value);
      assert.deepEqual(cookies, ['a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT', 'b=2']);
      await collect(body);
    }
  });

  it('does not even use what others may have, with Authorization', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, origin.url('/a'), 'origin', content);
    await isRight(node, origin.url('/a'), 'origin', content, { headers: { authorization: 'x' } });
  });

  it('is fetched to its end by nobody when its client has left', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const closed = new Promise((resolve) => {
      origin.on('/a', (request, response) => {
        request.socket.once('close', resolve);
        response.setHeader('cache-control', 'no-store');
        response.setHeader('etag', '"a"');
        const more = () => response.write(content);
        response.on('drain', more);
        more();
      });
    });
    const { body } = await node.open(origin.url('/a'));
    const iterator = body[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.return?.();
    await closed;
    await node.settled();
    assert.equal(origin.count('/a'), 1, 'the download was not continued');
  });
});
