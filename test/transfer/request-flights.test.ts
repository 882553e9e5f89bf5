/** Following a peer's download: pieces are verified as they come, and what goes wrong is made good. */
import assert from 'node:assert/strict';
import { FRAME } from '@peerage/core/transfer/relay.js';
import { PIECE_BYTES } from '@peerage/core/trust/pieces.js';
import { collect, contentOf, flipped, sha256Of } from '../fakes/content.js';
import { content, flightOf, frame, framesOf, HEADERS, PATH } from './flight-frames.js';
import { isRight, SHARED, useRig } from './rig.js';

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
