/** Requests that want less than a whole resource, or know more of it than its URL. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { collect, collectBroken, contentOf, flipped } from '../fakes/content.js';
import { isRight, SHARED, useRig } from './rig.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const content = contentOf('request', 900 * KIB);
const FRESH = { 'cache-control': 'max-age=60', etag: '"one"' };

describe('a digest known in advance', () => {
  const rig = useRig();
  const digestOf = (algorithm: 'sha256' | 'sha512', bytes: Buffer) => {
    return { algorithm, hex: createHash(algorithm).update(bytes).digest('hex') } as const;
  };

  for (const algorithm of ['sha256', 'sha512'] as const) {
    it(`lets the right bytes through: ${algorithm}`, async () => {
      const { origin } = rig();
      const node = await rig().node();
      origin.serve('/a', { content, headers: FRESH });
      const policy = { digest: digestOf(algorithm, content) };
      await isRight(node, origin.url('/a'), 'origin', content, { policy });
      await isRight(node, origin.url('/a'), 'hit', content, { policy });
    });

    it(`ends no body of other bytes, and keeps nothing: ${algorithm}`, async () => {
      const { origin } = rig();
      const node = await rig().node();
      for (const chunked of [false, true]) {
        origin.serve('/a', { content: flipped(content, 5), headers: FRESH, chunked });
        const policy = { digest: digestOf(algorithm, content) };
        const { body } = await node.open(origin.url('/a'), { policy });
        const { bytes, error } = await collectBroken(body);
        assert.equal((error as { code: string }).code, 'E_DIGEST_MISMATCH');
        assert.ok(chunked || bytes.length < content.length, 'not even all the bytes');
        await node.settled();
        assert.equal(node.store.objects, 0);
      }
    });
  }

  it('finds a stored copy wrong that has another one, and right though it is stale', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const resource = origin.serve('/a', { content, headers: { 'cache-control': 'max-age=1' } });
    await isRight(node, origin.url('/a'), 'origin', content);
    node.clock.advance(5000);
    const right = { policy: { digest: digestOf('sha256', content) } };
    await isRight(node, origin.url('/a'), 'hit', content, right);
    resource.content = contentOf('other', 1000);
    const other = { policy: { digest: digestOf('sha256', resource.content) } };
    await isRight(node, origin.url('/a'), 'origin', resource.content, other);
  });
});

describe('a part of a resource', () => {
  const rig = useRig();
  const large = contentOf('large', 6 * MIB);

  it('comes from the store, or with the whole, or from a far place directly', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content: large, headers: FRESH });
    const far = { startByte: 5 * MIB, lengthBytes: 1000 };
    const part = large.subarray(5 * MIB, 5 * MIB + 1000);
    const got = await node.open(origin.url('/a'), far);
    assert.deepEqual([got.status, got.sizeBytes], [200, large.length]);
    assert.ok((await collect(got.body)).equals(part));
    assert.equal(origin.last('/a').headers.range, `bytes=${5 * MIB}-${5 * MIB + 999}`);
    assert.equal(node.store.objects, 0, 'a part is not kept');
    const near = { startByte: 1000, lengthBytes: 50 };
    await isRight(node, origin.url('/a'), 'origin', large.subarray(1000, 1050), near);
    assert.equal(origin.last('/a').headers.range, undefined, 'the whole is fetched and kept');
    await isRight(node, origin.url('/a'), 'hit', part, far);
    await isRight(node, origin.url('/a'), 'hit', Buffer.alloc(0), { startByte: 9e9 });
    assert.equal(origin.count('/a'), 2);
  });

  it('comes right from an origin that heeds no range, or sends another part', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const far = { startByte: 5 * MIB, lengthBytes: 1000 };
    const part = large.subarray(5 * MIB, 5 * MIB + 1000);
    origin.serve('/deaf', { content: large, headers: FRESH, ranges: false });
    await isRight(node, origin.url('/deaf'), 'origin', part, far);
    for (const range of [
      'bytes 0-99/6291456',
      'bytes 5242880-5242890/6291456',
      'bytes 9-1/5',
      'x',
    ]) {
      origin.on('/wrong', (request, response) => {
        if (request.headers.range === undefined) return void response.end(large);
        response.writeHead(206, { 'content-range': range });
        response.end(large.subarray(0, 100));
      });
      await isRight(node, origin.url('/wrong'), 'origin', part, far);
    }
  });

  it('is never taken for the whole', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.on('/a', (_request, response) => {
      response.writeHead(206, { 'content-range': 'bytes 0-99/1000', etag: '"a"' });
      response.end(large.subarray(0, 100));
    });
    await assert.rejects(node.get(origin.url('/a')), { code: 'E_ORIGIN_CONFUSED' });
    assert.equal(node.store.objects, 0);
  });

  it('fails when it is cut short', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content: large, headers: FRESH, breaks: [100] });
    const { body } = await node.open(origin.url('/a'), { startByte: 5 * MIB });
    const { bytes, error } = await collectBroken(body);
    assert.equal((error as { code: string }).code, 'E_BODY_TRUNCATED');
    assert.ok(bytes.equals(large.subarray(5 * MIB, 5 * MIB + 100)));
  });
});

describe('a request for the head, and one that is cancelled', () => {
  const rig = useRig();

  it('is answered by the store without bytes, else by the origin', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    const before = await node.open(origin.url('/a'), { method: 'HEAD' });
    assert.deepEqual([before.source, before.sizeBytes], ['origin', content.length]);
    assert.equal((await collect(before.body)).length, 0);
    await isRight(node, origin.url('/a'), 'origin', content);
    const after = await node.open(origin.url('/a'), { method: 'HEAD' });
    assert.deepEqual([after.source, after.sizeBytes], ['hit', content.length]);
    assert.equal((await collect(after.body)).length, 0);
    assert.equal(node.path.status().counters['bytes-from-store'], 0);
  });

  it('does not wait for an origin that does not answer', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const controller = new AbortController();
    const asked = new Promise<() => void>((resolve) => {
      origin.on('/a', (_request, response) => resolve(() => response.end(content)));
    });
    const opening = node.open(origin.url('/a'), { signal: controller.signal });
    const answer = await asked;
    controller.abort();
    await assert.rejects(opening, { code: 'E_CANCELLED' });
    await assert.rejects(node.open(origin.url('/a'), { signal: controller.signal }), {
      code: 'E_CANCELLED',
    });
    answer();
    await node.settled();
  });

  it('refuses what this node may not do', async () => {
    const { origin } = rig();
    const node = await rig().node({ internet: false });
    const refused = { code: 'E_NO_INTERNET' };
    await assert.rejects(node.get(origin.url('/a'), SHARED), refused);
    await assert.rejects(node.open(origin.url('/a'), { method: 'HEAD' }), refused);
    assert.equal(origin.asked.length, 0);
    assert.equal(node.lan.wants.length, 1);
  });
});
