/** One download from several sources, one after the other: where each begins, and how it can end. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { PEER_TIMES } from '@peerage/core/transfer/peer-fetch.js';
import { collectBroken, contentOf, flipped, sha256Of } from '../fakes/content.js';
import { member } from '../fakes/members.js';
import type { ObjectScript } from '../fakes/peers.js';
import { isRight, SHARED, useRig } from './rig.js';

const MIB = 1024 * 1024;
const PIECE = MIB / 4;
const content = contentOf('sources', 2 * MIB + 77);
const FRESH = { 'cache-control': 'max-age=60', etag: '"one"' };
const SECURE = 'https://origin.example/a';
const codeOf = (error: unknown) => (error as { code?: string }).code;

/** Delivers honestly, and breaks off after so many bytes. */
function diesAfter(sizeBytes: number): ObjectScript {
  return (response, honest) => {
    response.setHeader('content-length', honest.length);
    response.write(honest.subarray(0, sizeBytes), () => response.destroy());
  };
}

describe('a download from several sources', () => {
  const rig = useRig();

  it('goes on at the last verified piece, from peer to peer', async () => {
    const node = await rig().node();
    const starts: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      const peer = await rig().scripted(`peer${i}`);
      const object: ObjectScript = (response, honest, request) => {
        starts.push(content.length - honest.length);
        diesAfter(PIECE * 2 + 100)(response, honest, request);
      };
      node.lan.offer(SECURE, peer.offer(SECURE, content, { object }));
    }
    const good = await rig().holder('good');
    node.lan.offer(SECURE, good.source(await good.hold(SECURE, content)));
    await isRight(node, SECURE, 'peer', content);
    assert.equal(starts[0], 0);
    for (const [i, start] of starts.entries()) {
      assert.equal(start % PIECE, 0);
      assert.ok(i === 0 || start >= (starts[i - 1] ?? 0), 'nothing verified is asked for again');
    }
    assert.ok((starts.at(-1) ?? 0) > 0);
    assert.equal(node.lan.reports.at(-1), 'good ok');
  });

  it('goes on from the Internet by Range and If-Range, the pieces still checked', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const peer = await rig().scripted('peer');
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: FRESH });
    const script = { object: diesAfter(MIB + 5), attested: { headers: FRESH } };
    node.lan.offer(url, peer.offer(url, content, script));
    await isRight(node, url, 'peer', content, SHARED);
    const { range = '', 'if-range': condition } = origin.last('/a').headers;
    const from = Number(/^bytes=(\d+)-$/.exec(range)?.[1]);
    assert.ok(from > 0 && from % PIECE === 0, range);
    assert.equal(condition, '"one"');
    const { counters } = node.path.status();
    assert.equal(counters['bytes-from-origin'], content.length - from);
  });

  it('starts over at the origin without a validator, and delivers no byte twice', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const peer = await rig().scripted('peer');
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: {} });
    node.lan.offer(url, peer.offer(url, content, { object: diesAfter(MIB + 5) }));
    await isRight(node, url, 'peer', content, SHARED);
    assert.equal(origin.last('/a').headers.range, undefined);
  });

  it('ends in an error, after right bytes only, where the origin has changed or fails', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const cases: Array<[string, string, () => void]> = [
      ['/changed', 'E_ORIGIN_CHANGED', () => changed('/changed')],
      ['/gone', 'E_ORIGIN_CHANGED', () => undefined],
      ['/short', 'E_BODY_TRUNCATED', () => short('/short')],
      ['/dead', 'E_ORIGIN_UNREACHABLE', () => origin.on('/dead', (r) => r.socket.destroy())],
    ];
    const changed = (path: string) => {
      origin.serve(path, { content: flipped(content, 2 * MIB), headers: { etag: '"two"' } });
    };
    const short = (path: string) => {
      origin.serve(path, { content, headers: {}, breaks: [MIB + PIECE + 9] });
    };
    for (const [i, [path, code, prepare]] of cases.entries()) {
      const peer = await rig().scripted(`peer${i}`);
      const url = origin.url(path);
      prepare();
      node.lan.offer(url, peer.offer(url, content, { object: diesAfter(MIB + 5) }));
      const { bytes, error } = await collectBroken((await node.open(url, SHARED)).body);
      assert.equal(codeOf(error), code, path);
      assert.ok(bytes.equals(content.subarray(0, bytes.length)), path);
      await node.settled();
      assert.equal(node.store.find(url, '*'), undefined);
    }
  });

  it('takes a second copy only if it is of the same bytes', async () => {
    const node = await rig().node();
    const first = await rig().scripted('first');
    const other = await rig().holder('other');
    const good = await rig().holder('good');
    node.lan.offer(SECURE, first.offer(SECURE, content, { object: diesAfter(MIB + 5) }));
    node.lan.offer(SECURE, other.source(await other.hold(SECURE, contentOf('newer', 3 * MIB))));
    node.lan.offer(SECURE, good.source(await good.hold(SECURE, content)));
    await isRight(node, SECURE, 'peer', content);
    assert.deepEqual(node.lan.reports, ['first failed', 'other unsuitable', 'good ok']);
  });

  it('is content with a peer that delivered everything and only ended wrongly', async () => {
    const node = await rig().node();
    const whole = contentOf('pieces', 2 * PIECE);
    const peer = await rig().scripted('peer');
    const object: ObjectScript = (response, honest) => {
      response.write(honest, () => response.end('and more'));
    };
    node.lan.offer(SECURE, peer.offer(SECURE, whole, { object }));
    await isRight(node, SECURE, 'peer', whole);
  });

  it('takes no copy that is older than its own, though both are stale', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const holder = await rig().holder('holder');
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, url, 'origin', content, SHARED);
    node.clock.advance(61_000);
    const old = { fetchedAt: Date.now() - 10_000, expiresAt: Date.now() + 1e9 };
    const older = { ...old, headers: { 'cache-control': 'max-age=9999' } };
    node.lan.offer(url, holder.source(await holder.hold(url, contentOf('old', 99), older)));
    await isRight(node, url, 'revalidated', content, SHARED);
    assert.equal(node.lan.reports.at(-2), 'holder unsuitable');
  });
});

describe('a stale copy on a peer that the origin confirmed', () => {
  const rig = useRig();

  it('is finished from the origin when the peer breaks off, and is fresh then', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const peer = await rig().scripted('peer');
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: FRESH });
    const attested = { headers: FRESH, fetchedAt: Date.now() - 3_600_000 };
    node.lan.offer(url, peer.offer(url, content, { object: diesAfter(MIB), attested }));
    await isRight(node, url, 'revalidated', content, SHARED);
    await isRight(node, url, 'hit', content, SHARED);
  });
});

describe('a member that signs a lie', () => {
  const rig = useRig();
  const small = contentOf('small', PIECE - 5);
  const digestOf = (bytes: Buffer) => ({
    algorithm: 'sha512' as const,
    hex: createHash('sha512').update(bytes).digest('hex'),
  });

  it('about the digest: no body is ended, nothing is kept, and it is not asked again', async () => {
    const node = await rig().node();
    const liar = await rig().scripted('liar');
    const good = await rig().holder('good');
    const evil = contentOf('evil', content.length);
    const attested = { sha256: sha256Of(content) };
    node.lan.offer(SECURE, liar.offer(SECURE, evil, { attested }));
    const { bytes, error } = await collectBroken((await node.open(SECURE)).body);
    assert.equal(codeOf(error), 'E_DIGEST_MISMATCH');
    assert.ok(bytes.length < content.length);
    await node.settled();
    assert.equal(node.store.objects, 0);
    assert.ok(node.lan.banned.has('liar'));
    node.lan.offer(SECURE, good.source(await good.hold(SECURE, content)));
    await isRight(node, SECURE, 'peer', content);
  });

  it('is passed over where all of it is there before it is delivered', async () => {
    const node = await rig().node();
    const wrong = await rig().holder('wrong');
    const good = await rig().holder('good');
    const request = { policy: { digest: digestOf(small) } };
    node.lan.offer(SECURE, wrong.source(await wrong.hold(SECURE, flipped(small, 3))));
    node.lan.offer(SECURE, good.source(await good.hold(SECURE, small)));
    await isRight(node, SECURE, 'peer', small, request);
    assert.deepEqual(node.lan.reports, ['wrong failed', 'good ok']);
  });

  it('fails one request at most where only the client knows the digest', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const wrong = await rig().holder('wrong');
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: FRESH });
    const request = { policy: { digest: digestOf(content) } };
    node.lan.offer(url, wrong.source(await wrong.hold(url, flipped(content, 3))));
    const { error } = await collectBroken((await node.open(url, request)).body);
    assert.equal(codeOf(error), 'E_DIGEST_MISMATCH');
    await node.settled();
    await isRight(node, url, 'origin', content, request);
  });
});

describe('a peer that is slow, or another one', () => {
  const rig = useRig();
  const times = { headMs: 800, stallMs: 800, wholeMs: 1000, pieceMs: 1000 };

  it('is given so much time for a piece, not for a byte', async () => {
    const node = await rig().node({ times });
    const good = await rig().holder('good');
    const scripts: Record<string, ObjectScript> = {
      silent: () => undefined,
      stalling: (response, honest) => void response.write(honest.subarray(0, 100)),
      trickling: (response, honest) => {
        let at = 0;
        const drip = () => {
          at += 1;
          if (!response.destroyed) response.write(honest.subarray(at - 1, at), drip);
        };
        drip();
      },
    };
    for (const [name, object] of Object.entries(scripts)) {
      const peer = await rig().scripted(name);
      node.lan.offer(SECURE, peer.offer(SECURE, content, { object }));
    }
    node.lan.offer(SECURE, good.source(await good.hold(SECURE, content)));
    await isRight(node, SECURE, 'peer', content);
    const failed = Object.keys(scripts).map((name) => `${name} failed`);
    assert.deepEqual(node.lan.reports, [...failed, 'good ok']);
    assert.ok(times.pieceMs < PEER_TIMES.pieceMs);
  });

  it('is not taken for the one that signed the offer', async () => {
    const node = await rig().node();
    const holder = await rig().holder('holder');
    const source = holder.source(await holder.hold(SECURE, content));
    const good = await rig().holder('good');
    node.lan.offer(SECURE, { ...source, kid: member('somebody').kid, name: 'somebody' });
    node.lan.offer(SECURE, { ...source, port: 1, name: 'nobody', kid: member('nobody').kid });
    node.lan.offer(SECURE, good.source(await good.hold(SECURE, content)));
    await isRight(node, SECURE, 'peer', content);
    assert.deepEqual(node.lan.reports, ['somebody failed', 'nobody failed', 'good ok']);
    assert.equal(holder.server.counters.get('uploads'), 0);
  });
});
