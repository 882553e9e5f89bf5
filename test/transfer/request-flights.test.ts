/** Following a peer's download: pieces are verified as they come, and what goes wrong is made good. */
import assert from 'node:assert/strict';
import type { FlightSource } from '@peerage/core/protocol/effect.js';
import { FRAME, FRAME_HEADER_BYTES, relayFrames } from '@peerage/core/transfer/relay.js';
import { type FlightDescription, signHead, signPiece } from '@peerage/core/trust/flight.js';
import { PIECE_BYTES, PieceHasher } from '@peerage/core/trust/pieces.js';
import { errorCode } from '@peerage/sdk';
import { collect, collectBroken, contentOf, flipped, sha256Of, vouch } from '../fakes/content.js';
import type { ContentNode } from '../fakes/content-node.js';
import { signerOf } from '../fakes/members.js';
import type { ScriptedPeer } from '../fakes/peers.js';
import { isRight, SHARED, useRig } from './rig.js';

const PATH = `/f/${'ab'.repeat(32)}`;
const content = contentOf('flights', 5 * PIECE_BYTES + 77);
const HEADERS = { 'cache-control': 'max-age=60', etag: '"one"' };

function frame(type: number, ...payload: Buffer[]): Buffer {
  const body = Buffer.concat(payload);
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt8(type);
  header.writeUInt32BE(body.length, 1);
  return Buffer.concat([header, body]);
}

/** The frames of an honest flight: head, pieces, end. */
function framesOf(
  peer: ScriptedPeer,
  url: string,
  bytes: Buffer,
  changes: Partial<FlightDescription> = {},
): Buffer[] {
  const { identity } = peer;
  const about = { url, variant: '*', status: 200, headers: HEADERS, tls: false };
  const description = { ...about, sizeBytes: bytes.length, firstPiece: 0, ...changes };
  const head = signHead(description, signerOf(identity), identity.certificate.publicKey);
  const frames = [frame(FRAME.head, head.bytes)];
  const hasher = new PieceHasher();
  hasher.onPiece = (piece, chain) => {
    const part = bytes.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES);
    frames.push(frame(FRAME.piece, signPiece(head, piece, chain, identity.key), part));
  };
  hasher.update(bytes);
  hasher.digest();
  const { headers } = description;
  const { signed } = vouch(url, bytes, { headers, tls: false }, identity);
  return [...frames, frame(FRAME.end, signed.bytes)];
}

/** Makes a peer offer a flight that consists of these frames. */
function flightOf(peer: ScriptedPeer, frames: readonly Buffer[], ends = true): FlightSource {
  peer.answer(PATH, (response) => {
    response.write(Buffer.concat(frames), () => (ends ? response.end() : response.destroy()));
  });
  const { kid, name, address, port } = peer.endpoint;
  return { kind: 'flight', kid, name, address, port, flight: PATH };
}

describe('a download that a peer is making', () => {
  const rig = useRig();

  it('is followed to its end, kept and served on', async () => {
    const node = await rig().node();
    const peer = await rig().scripted('peer');
    const url = rig().origin.url('/a');
    const headers = { ...HEADERS, 'content-length': '5', 'set-cookie': 'a=b', te: 'x' };
    node.lan.offer(url, flightOf(peer, framesOf(peer, url, content, { headers })));
    const got = await node.get(url, SHARED);
    assert.equal(got.source, 'peer');
    assert.ok(got.bytes.equals(content));
    assert.equal(got.headers.get('content-length'), String(content.length));
    assert.deepEqual([got.headers.has('set-cookie'), got.headers.has('te')], [false, false]);
    await node.settled();
    await isRight(node, url, 'hit', content, SHARED);
    assert.equal(node.store.find(url, '*')?.signer, 'peer');
    assert.deepEqual(node.lan.reports, ['peer ok']);
  });

  it('is shown as what it is, with whose download it is and how long it will take', async () => {
    const node = await rig().node({ internet: false });
    const relay = await rig().scripted('relay');
    const peer = await rig().scripted('peer');
    const url = rig().origin.url('/a');
    const frames = framesOf(peer, url, content);
    let go: () => void = () => undefined;
    const rest = new Promise<void>((resolve) => {
      go = resolve;
    });
    const flight = flightOf(relay, []);
    relay.answer(PATH, (response) => {
      response.write(Buffer.concat(frames.slice(0, 3)));
      void rest.then(() => response.end(Buffer.concat(frames.slice(3))));
    });
    node.lan.offer(url, flight);
    const { body } = await node.open(url, SHARED);
    while ((node.path.downloads()[0]?.receivedBytes ?? 0) < 2 * PIECE_BYTES) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    node.clock.advance(2000);
    const [shown] = node.path.downloads();
    assert.deepEqual([shown?.source, shown?.from, shown?.follows], ['peer', 'relay', 'peer']);
    const leftMs = ((content.length - 2 * PIECE_BYTES) / (2 * PIECE_BYTES)) * 2000;
    assert.ok(Math.abs((shown?.leftMs ?? 0) - leftMs) < 20, `${shown?.leftMs} ms`);
    go();
    assert.ok((await collect(body)).equals(content));
    await node.settled();
  });

  const broken: Array<[what: string, result: string, change: (frames: Buffer[]) => Buffer[]]> = [
    ['dies after some pieces', 'failed', (frames) => frames.slice(0, 4)],
    ['dies within a piece', 'failed', (f) => [Buffer.concat(f).subarray(0, 2 * PIECE_BYTES)]],
    ['sends a wrong byte', 'lied', (f) => f.with(3, flipped(f[3] as Buffer, 5000))],
    ['signs another piece', 'lied', (f) => f.with(2, f[3] as Buffer)],
    ['leaves a piece out', 'lied', (f) => [...f.slice(0, 2), ...f.slice(3)]],
    ['sends a piece twice', 'lied', (f) => [...f.slice(0, 3), ...f.slice(2)]],
    ['sends pieces without a head', 'lied', (frames) => frames.slice(1)],
    ['ends before all is there', 'lied', (f) => [...f.slice(0, 3), f.at(-1) as Buffer]],
    ['sends a frame without end', 'lied', (f) => [f[0] as Buffer, Buffer.alloc(9, 0xff)]],
    ['has a head of garbage', 'lied', () => [frame(FRAME.head, contentOf('x', 900))]],
    ['may not share it after all', 'unshareable', () => [frame(FRAME.unshareable)]],
  ];
  for (const [what, result, change] of broken) {
    it(`that ${what} is made good from the Internet`, async () => {
      const { origin } = rig();
      const node = await rig().node();
      const peer = await rig().scripted('peer');
      const url = origin.url('/a');
      origin.serve('/a', { content, headers: HEADERS });
      const frames = change(framesOf(peer, url, content));
      node.lan.offer(url, flightOf(peer, frames, false));
      const got = await node.get(url, SHARED);
      assert.ok(got.bytes.equals(content));
      assert.equal(node.lan.reports[0], `peer ${result}`);
      assert.equal(origin.count('/a'), 1);
      await node.settled();
      await isRight(node, url, 'hit', content, SHARED);
    });
  }

  const endings: Array<[what: string, change: (frames: Buffer[]) => Buffer[]]> = [
    ['dies before it has said that this was all', (frames) => frames.slice(0, -1)],
    ['sends more than it announced', (frames) => [...frames.slice(0, -1), frames[1] as Buffer]],
    ['ends with garbage', (frames) => frames.with(-1, frame(FRAME.end, contentOf('x', 900)))],
  ];
  for (const [what, change] of endings) {
    it(`is complete, but not kept, when its node ${what}`, async () => {
      const node = await rig().node({ internet: false });
      const peer = await rig().scripted('peer');
      const url = rig().origin.url('/a');
      node.lan.offer(url, flightOf(peer, change(framesOf(peer, url, content)), false));
      await isRight(node, url, 'peer', content, SHARED);
      assert.equal(node.store.objects, 0);
    });
  }

  it('that has become a copy is taken as one, and nothing else is', async () => {
    const { origin } = rig();
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: HEADERS });
    const node = await rig().node();
    const peer = await rig().scripted('peer');
    const { copy } = peer.offer(url, content);
    const { kid, name, address, port } = peer.endpoint;
    const flight = { kind: 'flight', kid, name, address, port, flight: PATH } as const;
    const wrong = [
      '',
      'null',
      '5',
      '[]',
      '{}',
      '{"alias":5}',
      JSON.stringify({ ...copy, alias: '/c/x' }),
    ];
    for (const [i, text] of [...wrong, JSON.stringify({ ...copy, sizeBytes: '5' })].entries()) {
      peer.answer(PATH, (response) => void response.writeHead(303).end(text));
      const place = `${url}?${i}`;
      origin.serve(`/a?${i}`, { content, headers: HEADERS });
      node.lan.banned.clear();
      node.lan.offer(place, flight);
      await isRight(node, place, 'origin', content, SHARED);
      assert.equal(node.lan.reports.at(-2), 'peer lied', text);
    }
    node.lan.banned.clear();
    peer.answer(PATH, (response) => void response.writeHead(303).end(JSON.stringify(copy)));
    node.lan.offer(url, flight);
    await isRight(node, url, 'peer', content, SHARED);
    assert.equal(copy.sha256, sha256Of(content));
  });
});

describe('a download of our own that meets a better one (§5.3)', () => {
  const rig = useRig();

  /** A peer whose flight begins with the piece that is asked for. */
  async function better(url: string): Promise<{ peer: ScriptedPeer; flight: FlightSource }> {
    const peer = await rig().scripted('peer');
    const [head, ...rest] = framesOf(peer, url, content);
    const flight = flightOf(peer, []);
    peer.answer(PATH, (response, request) => {
      const from = Number(request.headers['peerage-from']);
      response.end(Buffer.concat([head ?? Buffer.alloc(0), ...rest.slice(from)]));
    });
    return { peer, flight };
  }

  it('is given up before the origin has answered', async () => {
    const { origin } = rig();
    const url = origin.url('/a');
    const { flight } = await better(url);
    const node = await rig().node();
    let ask: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      ask = resolve;
    });
    origin.on('/a', () => ask());
    node.lan.replaces(
      url,
      asked.then(() => flight),
    );
    await isRight(node, url, 'peer', content, SHARED);
    assert.deepEqual(node.lan.reports, ['peer ok']);
    assert.equal(node.path.status().counters['bytes-from-origin'], undefined);
  });

  it('is begun again when what was better fails', async () => {
    const { origin } = rig();
    const url = origin.url('/a');
    const gone = await rig().scripted('gone');
    const node = await rig().node();
    let [ask, times]: [() => void, number] = [() => undefined, 0];
    const asked = new Promise<void>((resolve) => {
      ask = resolve;
    });
    origin.on('/a', (_request, response) => {
      times += 1;
      if (times === 1) return ask();
      response.writeHead(200, { ...HEADERS, 'content-length': content.length });
      response.end(content);
    });
    const source = gone.offer(url, content);
    gone.answer(source.copy.attestation, (response) => void response.destroy());
    node.lan.replaces(
      url,
      asked.then(() => source),
    );
    await isRight(node, url, 'origin', content, SHARED);
    assert.deepEqual(node.lan.reports, ['gone failed', 'origin ok']);
  });

  it('is given up for a copy that was offered late', async () => {
    const { origin } = rig();
    const url = origin.url('/a');
    const holder = await rig().scripted('holder');
    const node = await rig().node();
    let ask: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      ask = resolve;
    });
    origin.on('/a', () => ask());
    const source = holder.offer(url, content);
    node.lan.replaces(
      url,
      asked.then(() => source),
    );
    await isRight(node, url, 'peer', content, SHARED);
    assert.deepEqual(node.lan.reports, ['holder ok']);
  });

  it('ends with a whole piece, and the rest comes from the other', async () => {
    const { origin } = rig();
    const url = origin.url('/a');
    const { peer, flight } = await better(url);
    const node = await rig().node();
    let meet: (flight: FlightSource) => void = () => undefined;
    node.lan.replaces(
      url,
      new Promise((resolve) => {
        meet = resolve;
      }),
    );
    const cut = PIECE_BYTES + 1000;
    origin.on('/a', (_request, response) => {
      response.writeHead(200, { ...HEADERS, 'content-length': content.length });
      response.write(content.subarray(0, cut));
      void untilReceived(node, cut).then(() => {
        meet(flight);
        response.write(content.subarray(cut, 4 * PIECE_BYTES));
      });
    });
    await isRight(node, url, 'origin', content, SHARED);
    assert.equal(node.path.status().counters['bytes-from-origin'], 2 * PIECE_BYTES);
    assert.deepEqual(peer.asked, [PATH]);
    assert.equal(node.store.find(url, '*')?.signer, 'peer');
  });

  async function untilReceived(node: ContentNode, bytes: number): Promise<void> {
    while ((node.path.downloads()[0]?.receivedBytes ?? 0) < bytes) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it('is left for the copy that the followed node takes itself', async () => {
    const { origin } = rig();
    const url = origin.url('/a');
    const node = await rig().node({ internet: false });
    const relay = await rig().scripted('relay');
    const holder = await rig().scripted('holder');
    const { copy } = holder.offer(url, content);
    const place = { ...copy, kid: holder.endpoint.kid };
    node.lan.places.set(place.kid, holder.endpoint);
    const frames = [frame(FRAME.alive), frame(FRAME.copy, Buffer.from(JSON.stringify(place)))];
    node.lan.offer(url, flightOf(relay, frames));
    await isRight(node, url, 'peer', content, SHARED);
    assert.deepEqual(node.lan.reports, ['relay ok']);
  });

  it('tells its followers so, when it takes a copy', async () => {
    const url = rig().origin.url('/a');
    const node = await rig().node({ internet: false });
    const holder = await rig().scripted('holder');
    const source = holder.offer(url, content);
    node.lan.offer(url, source);
    const { body } = await node.open(url, SHARED);
    const flight = node.path.relays.object(source.copy.sha256);
    assert.ok(flight !== undefined);
    const told = await relayFrames(flight, 0).next();
    const text = Buffer.from(told.value ?? '').subarray(FRAME_HEADER_BYTES);
    assert.deepEqual(JSON.parse(text.toString()), { ...source.copy, kid: source.kid });
    assert.ok((await collect(body)).equals(content));
  });
});

describe('a request that knows the digest of what is already on its way', () => {
  const rig = useRig();
  const headers = { 'cache-control': 'max-age=600', etag: '"a"' };

  it('follows it, and gets the end only if it fits', async () => {
    const { origin } = rig();
    const url = origin.url('/a');
    const node = await rig().node();
    origin.serve('/a', { content, headers });
    const right = { algorithm: 'sha256', hex: sha256Of(content) } as const;
    const wrong = { algorithm: 'md5', hex: '0'.repeat(32) } as const;
    const first = await node.open(url);
    const second = await node.open(url, { policy: { digest: right } });
    const third = await node.open(url, { policy: { digest: wrong } });
    assert.deepEqual([second.source, third.source], ['collapsed', 'collapsed']);
    const [a, b, c] = await Promise.all([
      collect(first.body),
      collect(second.body),
      collectBroken(third.body),
    ]);
    assert.ok(a.equals(content) && b.equals(content));
    assert.ok(c.bytes.length < content.length);
    assert.equal(errorCode(c.error), 'E_DIGEST_MISMATCH');
    assert.equal(origin.count('/a'), 1);
  });

  it('does so too between the end of the body and its being stored', async () => {
    const { origin } = rig();
    const url = origin.url('/a');
    const node = await rig().node();
    origin.serve('/a', { content, headers });
    const digest = { algorithm: 'sha256', hex: sha256Of(content) } as const;
    const commit = node.store.commit.bind(node.store);
    let store: () => void = () => undefined;
    const mayStore = new Promise<void>((resolve) => {
      store = resolve;
    });
    node.store.commit = (...kept) => mayStore.then(() => commit(...kept));
    await collect((await node.open(url)).body);
    const got = await node.get(url, { policy: { digest } });
    assert.ok(got.bytes.equals(content));
    store();
    assert.equal(origin.count('/a'), 1);
    await node.settled();
  });
});
