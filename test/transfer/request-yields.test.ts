/** Our own download gives way to a better one, and leaves what has become a copy for the copy (§5.3). */
import assert from 'node:assert/strict';
import type { FlightSource } from '@peerage/core/protocol/effect.js';
import { FRAME, FRAME_HEADER_BYTES, relayFrames } from '@peerage/core/transfer/relay.js';
import { PIECE_BYTES } from '@peerage/core/trust/pieces.js';
import { errorCode } from '@peerage/sdk';
import { collect, collectBroken, sha256Of } from '../fakes/content.js';
import type { ContentNode } from '../fakes/content-node.js';
import type { ScriptedPeer } from '../fakes/peers.js';
import { content, flightOf, frame, framesOf, HEADERS, PATH } from './flight-frames.js';
import { isRight, SHARED, useRig } from './rig.js';

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

  it('that was begun from a copy is not gone on with from a flight: it has no head for it', async () => {
    const { origin } = rig();
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: HEADERS });
    const node = await rig().node();
    const holder = await rig().scripted('holder');
    const source = holder.offer(url, content, {
      object: (response, honest) => {
        response.setHeader('content-length', honest.length);
        response.write(honest.subarray(0, 2 * PIECE_BYTES + 9), () => response.destroy());
      },
    });
    const { flight } = await better(url);
    for (const one of [source, flight]) node.lan.offer(url, one);
    await isRight(node, url, 'peer', content, SHARED);
    assert.deepEqual(node.lan.reports, ['holder failed', 'peer unsuitable', 'origin ok']);
  });

  it('is given up also while the origin sends anew what is there already', async () => {
    const { origin } = rig();
    const url = origin.url('/a');
    const node = await rig().node();
    const gone = await rig().scripted('gone');
    const lost = flightOf(gone, framesOf(gone, url, content).slice(0, 4), false);
    const { peer, flight } = await better(url);
    let meet: (flight: FlightSource) => void = () => undefined;
    node.lan.offer(url, lost);
    node.lan.replaces(
      url,
      new Promise((resolve) => {
        meet = resolve;
      }),
    );
    origin.on('/a', (_request, response) => {
      response.writeHead(200, { ...HEADERS, 'content-length': content.length });
      response.write(content.subarray(0, 1000));
      meet(flight);
      // The third piece is the last one that is there: the rest never comes.
      setImmediate(() => response.write(content.subarray(1000, 3 * PIECE_BYTES)));
    });
    await isRight(node, url, 'peer', content, SHARED);
    assert.deepEqual(node.lan.reports, ['gone failed', 'peer ok']);
    assert.deepEqual([origin.count('/a'), peer.asked], [1, [PATH]]);
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
