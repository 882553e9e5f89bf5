/**
 * What goes wrong on the way: damaged copies in the store, origins that break off or change. The
 * client gets one right stream, or an error; never a wrong byte.
 */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { collect, collectBroken, contentOf, flipped } from '../fakes/content.js';
import type { ContentNode } from '../fakes/content-node.js';
import { isRight, SHARED, useRig } from './rig.js';

const MIB = 1024 * 1024;
const PIECE = MIB / 4;
const content = contentOf('damage', 5 * MIB + 77);
const FRESH = { 'cache-control': 'max-age=60', etag: '"one"' };
const codeOf = (error: unknown) => (error as { code?: string }).code;

/** Changes one byte of the only object of a node. */
async function damage(node: ContentNode, at: number): Promise<void> {
  await writeFile(pathOf(node), flipped(content, at));
}

function pathOf(node: ContentNode): string {
  const [entry] = [...node.store.entries()];
  assert.ok(entry !== undefined, 'nothing is stored');
  const { sha256 } = entry.attestation;
  return join(node.directory, 'objects', sha256.slice(0, 2), sha256);
}

describe('a damaged copy in the store', () => {
  const rig = useRig();

  it('is fetched anew, wherever the damage is, and the client sees one right stream', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, origin.url('/a'), 'origin', content);
    await damage(node, 0);
    await isRight(node, origin.url('/a'), 'origin', content);
    for (const at of [PIECE, 3 * MIB, 4 * MIB + 5, content.length - 1]) {
      await damage(node, at);
      await isRight(node, origin.url('/a'), 'hit', content);
      await isRight(node, origin.url('/a'), at > 4 * MIB ? 'origin' : 'hit', content);
    }
    assert.ok(node.logger.all('object-corrupt').length >= 5);
  });

  it('is fetched anew for a part of it too', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, origin.url('/a'), 'origin', content);
    await damage(node, 3 * PIECE + 1000);
    const part = { startByte: 100, lengthBytes: 3 * PIECE + 500 };
    const expected = content.subarray(100, 3 * PIECE + 600);
    await isRight(node, origin.url('/a'), 'hit', expected, part);
  });

  it('comes from a peer, where one has it, and not from the origin', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, url, 'origin', content, SHARED);
    const holder = await rig().holder('holder');
    node.lan.offer(url, holder.source(await holder.hold(url, content)));
    await damage(node, 2 * MIB);
    await isRight(node, url, 'hit', content, SHARED);
    assert.equal(origin.count('/a'), 1);
  });

  it('ends in an error where the origin has changed meanwhile, not in a mixture', async () => {
    for (const at of [2 * MIB, 4 * MIB + 5]) {
      const { origin } = rig();
      const node = await rig().node();
      const resource = origin.serve('/a', { content, headers: FRESH });
      await isRight(node, origin.url('/a'), 'origin', content);
      await damage(node, at);
      resource.content = contentOf('changed', content.length);
      const { bytes, error } = await collectBroken((await node.open(origin.url('/a'))).body);
      assert.match(String(codeOf(error)), /^E_(OBJECT_CORRUPT|DIGEST_MISMATCH)$/);
      assert.ok(bytes.equals(content.subarray(0, bytes.length)), 'a wrong byte came');
      await node.settled();
    }
  });

  it('is fetched whole when the origin has just said that it is still good', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    for (const spoil of [() => damage(node, 7), () => rm(`${pathOf(node)}.pieces`)]) {
      await isRight(node, origin.url('/a'), 'origin', content);
      await spoil();
      node.clock.advance(61_000);
      await isRight(node, origin.url('/a'), 'origin', content);
      await isRight(node, origin.url('/a'), 'hit', content);
      await node.path.purge(origin.url('/a'));
    }
  });

  it('is an error where the origin is down too, and the next request works again', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, origin.url('/a'), 'origin', content);
    await damage(node, 2 * MIB);
    origin.on('/a', (request) => request.socket.destroy());
    const { bytes, error } = await collectBroken((await node.open(origin.url('/a'))).body);
    assert.equal(codeOf(error), 'E_ORIGIN_UNREACHABLE');
    assert.ok(bytes.equals(content.subarray(0, 2 * MIB)));
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, origin.url('/a'), 'origin', content);
  });

  it('gives its file back when nobody reads what was opened', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, origin.url('/a'), 'origin', content);
    for (let i = 0; i < 3; i += 1) {
      const { body } = await node.open(origin.url('/a'));
      await body[Symbol.asyncIterator]().return?.();
    }
    const { body } = await node.open(origin.url('/a'));
    assert.ok((await collect(body)).equals(content));
  });
});

describe('an origin that breaks off', () => {
  const rig = useRig();

  it('is asked for the rest, as often as three times', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const breaks = [MIB, MIB + 1, 100_000];
    origin.serve('/a', { content, headers: FRESH, breaks });
    await isRight(node, origin.url('/a'), 'origin', content);
    assert.equal(origin.count('/a'), 4);
    assert.match(origin.last('/a').headers.range ?? '', /^bytes=[1-9]\d+-$/);
    assert.equal(origin.last('/a').headers['if-range'], '"one"');
    await isRight(node, origin.url('/a'), 'hit', content);
    assert.equal(node.path.status().counters['bytes-from-origin'], content.length);
  });

  it('fails the fourth time, and keeps nothing', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH, breaks: Array(4).fill(MIB) });
    const { bytes, error } = await collectBroken((await node.open(origin.url('/a'))).body);
    assert.equal(codeOf(error), 'E_BODY_TRUNCATED');
    assert.ok(bytes.equals(content.subarray(0, bytes.length)));
    assert.equal(origin.count('/a'), 4);
    await node.settled();
    assert.equal(node.store.objects, 0);
  });

  it('is not continued without a validator, nor when it has another body now', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/plain', { content, headers: { 'cache-control': 'max-age=60' }, breaks: [MIB] });
    const plain = await collectBroken((await node.open(origin.url('/plain'))).body);
    assert.equal(codeOf(plain.error), 'E_BODY_TRUNCATED');
    assert.equal(origin.count('/plain'), 1);
    const resource = origin.serve('/b', { content, headers: { ...FRESH }, breaks: [MIB] });
    const { body } = await node.open(origin.url('/b'));
    resource.content = contentOf('changed', content.length);
    resource.headers = { ...FRESH, etag: '"two"' };
    const changed = await collectBroken(body);
    assert.equal(codeOf(changed.error), 'E_BODY_TRUNCATED');
    assert.ok(changed.bytes.equals(content.subarray(0, changed.bytes.length)));
    assert.equal(origin.count('/b'), 2);
  });

  it('is not continued by one that does not heed If-Range', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const other = contentOf('other', content.length - 10);
    for (const [total, tag] of [
      [other.length, {}],
      [content.length, { etag: '"two"' }],
    ] as const) {
      origin.on('/a', (request, response) => {
        if (request.headers.range === undefined) {
          for (const [name, value] of Object.entries(FRESH)) response.setHeader(name, value);
          response.setHeader('content-length', content.length);
          response.write(content.subarray(0, MIB), () => response.destroy());
          return;
        }
        const from = Number(/\d+/.exec(request.headers.range)?.[0]);
        const range = `bytes ${from}-${total - 1}/${total}`;
        response.writeHead(206, { 'content-range': range, ...tag });
        response.end(Buffer.concat([other, content]).subarray(from, total));
      });
      const { bytes, error } = await collectBroken((await node.open(origin.url('/a'))).body);
      assert.equal(codeOf(error), 'E_BODY_TRUNCATED');
      assert.ok(bytes.equals(content.subarray(0, bytes.length)));
      assert.ok(bytes.length <= MIB);
    }
  });
});

describe('a body too large to keep', () => {
  const rig = useRig();

  for (const chunked of [false, true]) {
    it(`goes through all the same: ${chunked ? 'without' : 'with'} a length`, async () => {
      const { origin } = rig();
      const node = await rig().node({ quotaBytes: MIB });
      origin.serve('/a', { content, headers: FRESH, chunked });
      for (let i = 0; i < 2; i += 1) await isRight(node, origin.url('/a'), 'origin', content);
      assert.equal(node.store.storedBytes, 0);
      if (chunked) {
        assert.equal(node.logger.all('not-stored')[0]?.fields['code'], 'E_TOO_LARGE');
      }
    });
  }
});
