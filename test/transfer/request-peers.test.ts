/**
 * Bytes from peers: verified before anybody sees them, continued from the next source where one
 * fails. Real object servers and scripted members, over mutual TLS on loopback.
 */
import assert from 'node:assert/strict';
import { contentOf, flipped, sha256Of } from '../fakes/content.js';
import { member } from '../fakes/members.js';
import type { ObjectScript, Script } from '../fakes/peers.js';
import { isRight, SHARED, useRig } from './rig.js';

const MIB = 1024 * 1024;
const PIECE = MIB / 4;
const content = contentOf('peers', 2 * MIB + 77);
const FRESH = { 'cache-control': 'max-age=60', etag: '"one"' };
const HOUR_MS = 3_600_000;

describe('a copy on a peer', () => {
  const rig = useRig();

  it('is taken instead of the Internet, verified, kept, and served on', async () => {
    const node = await rig().node();
    const holder = await rig().holder('holder');
    const url = rig().origin.url('/a');
    for (const size of [0, 1, PIECE, PIECE + 1, content.length]) {
      const bytes = content.subarray(0, size);
      const href = `${url}${size}`;
      node.lan.offer(href, holder.source(await holder.hold(href, bytes)));
      await isRight(node, href, 'peer', bytes, SHARED);
      await isRight(node, href, 'hit', bytes, SHARED);
    }
    assert.equal(rig().origin.asked.length, 0);
    assert.deepEqual(node.lan.reports, Array(5).fill('holder ok'));
    const entry = node.store.find(`${url}1`, '*');
    assert.equal(
      entry?.signer,
      'fetcher',
      'the attestation is the first fetcher’s, not the peer’s',
    );
    const query = { href: `${url}1`, variant: '*', stale: false, ageMaxMs: undefined };
    assert.equal(node.path.copies.find(query)?.sha256, entry?.attestation.sha256);
  });

  it('is one download for twenty requests at once', async () => {
    const node = await rig().node();
    const holder = await rig().holder('holder');
    const url = rig().origin.url('/a');
    node.lan.offer(url, holder.source(await holder.hold(url, content)));
    const got = await Promise.all(Array.from({ length: 20 }, () => node.get(url, SHARED)));
    for (const { bytes } of got) assert.ok(bytes.equals(content));
    assert.equal(holder.server.counters.get('uploads'), 1);
  });

  it('of HTTPS is asked for; of HTTP only with a digest or a client that verifies', async () => {
    const node = await rig().node();
    const holder = await rig().holder('holder');
    const { origin } = rig();
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: { 'cache-control': 'no-store' } });
    node.lan.offer(url, holder.source(await holder.hold(url, content, { tls: false })));
    await isRight(node, url, 'origin', content);
    assert.equal(node.lan.wants.length, 0);
    const digest = { algorithm: 'sha256', hex: sha256Of(content) } as const;
    await isRight(node, url, 'peer', content, { policy: { digest } });
    const secure = 'https://origin.example/a';
    node.lan.offer(secure, holder.source(await holder.hold(secure, content)));
    await isRight(node, secure, 'peer', content);
  });

  it('of cleartext is not passed on to whoever cannot verify it', async () => {
    const node = await rig().node();
    const holder = await rig().holder('holder');
    const url = 'https://origin.example/a';
    node.lan.offer(url, holder.source(await holder.hold(url, content, { tls: false })));
    await assert.rejects(node.get(url), { code: 'E_ORIGIN_UNREACHABLE' });
    assert.equal(node.lan.reports[0], 'holder unsuitable');
  });

  it('is delivered with its age, its true length, and no header that it must not have', async () => {
    const node = await rig().node();
    const holder = await rig().holder('holder');
    const url = 'https://origin.example/a';
    const headers = {
      'cache-control': 'max-age=600',
      'content-length': '5',
      'transfer-encoding': 'chunked',
      age: '20',
    };
    const fetchedAt = Date.now() - 30_000;
    node.lan.offer(url, holder.source(await holder.hold(url, content, { headers, fetchedAt })));
    const got = await node.get(url);
    const age = Number(got.headers.get('age'));
    assert.ok(age >= 45 && age <= 52, `age ${age}`);
    got.headers.delete('age');
    assert.deepEqual([...got.headers.keys()].sort(), ['cache-control', 'content-length']);
    assert.equal(got.headers.get('content-length'), String(content.length));
  });

  it('that is stale is good again when the origin says so: no byte crosses its line', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const holder = await rig().holder('holder');
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: FRESH });
    const old = { headers: FRESH, fetchedAt: Date.now() - HOUR_MS };
    node.lan.offer(url, holder.source(await holder.hold(url, content, old)));
    await isRight(node, url, 'revalidated', content, SHARED);
    assert.equal(origin.last('/a').headers['if-none-match'], '"one"');
    assert.equal(node.path.status().counters['bytes-from-origin'] ?? 0, 0);
    await isRight(node, url, 'hit', content, SHARED);
  });
});

/** Ways in which a peer fails to deliver; `good` is what may be used of it, in bytes. */
const BROKEN: Array<[what: string, result: string, script: Script]> = [
  ['flips a byte of the first piece', 'lied', { object: sends((bytes) => flipped(bytes, 9)) }],
  ['flips a byte in the middle', 'lied', { object: sends((bytes) => flipped(bytes, MIB + 5)) }],
  ['flips the last byte', 'lied', { object: sends((b) => flipped(b, b.length - 1)) }],
  ['sends other bytes', 'lied', { object: sends((bytes) => contentOf('x', bytes.length)) }],
  ['swaps two pieces', 'lied', { object: sends(swapped) }],
  ['ends its body too early', 'failed', { object: sends((bytes) => bytes.subarray(0, MIB + 9)) }],
  ['sends nothing', 'failed', { object: sends(() => Buffer.alloc(0)) }],
  ['dies in the middle', 'failed', { object: diesAfter(MIB + 9) }],
  ['dies at the end of a piece', 'failed', { object: diesAfter(MIB) }],
  ['dies at once', 'failed', { object: diesAfter(0) }],
  ['does not have it any more', 'failed', { object: answers(404) }],
  ['is busy', 'failed', { object: answers(503) }],
  ['redirects', 'failed', { object: answers(302) }],
  ['heeds no range', 'failed', { object: answers(200, false) }],
  ['sends more than it offered', 'lied', { object: sends((b) => Buffer.concat([b, b])) }],
  ['offers another digest', 'lied', { offered: { sha256: sha256Of(Buffer.from('x')) } }],
  ['offers another size', 'lied', { offered: { sizeBytes: content.length - 1 } }],
  ['offers a size without end', 'lied', { offered: { sizeBytes: 2 ** 52 } }],
  ['offers an empty one', 'lied', { offered: { sizeBytes: 0 } }],
  ['has another chain', 'lied', { attested: { chain: '0'.repeat(64) } }],
  ['has other piece hashes', 'lied', { hashes: contentOf('hashes', 288) }],
  ['has too few piece hashes', 'lied', { hashes: Buffer.alloc(0) }],
  ['has piece hashes without end', 'lied', { hashes: Buffer.alloc(1_000_000) }],
  ['has no attestation but garbage', 'lied', { frame: contentOf('frame', 1000) }],
  ['has an attestation without end', 'lied', { frame: Buffer.alloc(1_000_000) }],
  ['has an attestation that nobody signed', 'lied', { frame: Buffer.from('<service type="a"/>') }],
  ['has one signed by a stranger', 'failed', { signer: member('stranger', 'elsewhere') }],
  ['has one of another URL', 'unsuitable', { attested: { url: 'https://origin.example/b' } }],
  ['has one of an error page', 'unsuitable', { attested: { status: 404 } }],
  ['has one of another variant', 'unsuitable', { attested: { variant: 'other' } }],
  ['has one from the future', 'unsuitable', { attested: { fetchedAt: Date.now() + HOUR_MS } }],
  ['has a stale one without validator', 'unsuitable', { attested: { fetchedAt: 1000 } }],
  ['offers a path that cannot be sent', 'failed', { offered: { alias: '/o/ \n\0' } }],
];

function sends(change: (bytes: Buffer) => Buffer): ObjectScript {
  return (response, honest) => {
    const bytes = change(honest);
    response.setHeader('content-length', bytes.length);
    response.end(bytes);
  };
}

function swapped(bytes: Buffer): Buffer {
  const [one, two] = [bytes.subarray(PIECE, 2 * PIECE), bytes.subarray(2 * PIECE, 3 * PIECE)];
  return Buffer.concat([bytes.subarray(0, PIECE), two, one, bytes.subarray(3 * PIECE)]);
}

function diesAfter(sizeBytes: number): ObjectScript {
  return (response, honest) => {
    response.setHeader('content-length', honest.length);
    response.write(honest.subarray(0, sizeBytes), () => response.destroy());
  };
}

function answers(status: number, whole = true): ObjectScript {
  return (response, honest, request) => {
    response.statusCode = status;
    const wrong = whole || request.headers.range === 'bytes=0-';
    response.end(wrong ? 'x' : honest);
  };
}

describe('a peer that fails', () => {
  const rig = useRig();

  for (const [what, result, script] of BROKEN) {
    it(`and ${what}: the next source continues, and no byte is wrong`, async () => {
      const node = await rig().node();
      const bad = await rig().scripted('bad');
      const good = await rig().holder('good');
      const url = 'https://origin.example/a';
      node.lan.offer(url, bad.offer(url, content, script));
      node.lan.offer(url, good.source(await good.hold(url, content)));
      await isRight(node, url, 'peer', content);
      const expected = what === 'heeds no range' ? 'failed' : result;
      assert.deepEqual(node.lan.reports, [`bad ${expected}`, 'good ok']);
      assert.equal(node.lan.banned.has('bad'), result === 'lied');
      await isRight(node, url, 'hit', content);
    });

    it(`and ${what}: the Internet continues where no peer is left`, async () => {
      const { origin } = rig();
      const node = await rig().node();
      const bad = await rig().scripted('bad');
      const url = origin.url('/a');
      origin.serve('/a', { content, headers: FRESH });
      const attested = script.attested ?? {};
      node.lan.offer(
        url,
        bad.offer(url, content, { ...script, attested: { headers: FRESH, ...attested } }),
      );
      const got = await node.get(url, SHARED);
      assert.ok(got.bytes.equals(content));
      assert.equal(origin.count('/a'), 1);
    });
  }
});
