/** The book of why: what is written down of each request, and how much of it is kept. */
import assert from 'node:assert/strict';
import { WhyBook } from '@peerage/core/transfer/why.js';
import { AdjustableClock } from '../fakes/clock.js';
import { contentOf, flipped, sha256Of } from '../fakes/content.js';
import { isRight, SHARED, useRig } from './rig.js';

const content = contentOf('why', 700_000);
const FRESH = { 'cache-control': 'max-age=600', etag: '"one"' };

describe('the record of a request', () => {
  const rig = useRig();

  it('says why the Internet was used, how many bytes came, and who signed for them', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, url, 'origin', content, SHARED);
    const [record] = node.path.why(url);
    assert.ok(record !== undefined);
    const { host } = new URL(url);
    assert.deepEqual([record.service, record.source], ['test', 'origin']);
    assert.equal(record.internet, 'nobody-answered');
    assert.deepEqual(record.bytes, [{ from: host, sizeBytes: content.length }]);
    assert.deepEqual(record.tried, [{ kind: 'origin', from: host, result: 'ok', why: undefined }]);
    assert.equal(record.provenance?.fetchedBy, 'asker');
    assert.equal(record.provenance?.sha256, sha256Of(content));
  });

  it('of a hit names who once fetched it, and no source', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, url, 'origin', content, SHARED);
    await isRight(node, url, 'hit', content, SHARED);
    const [hit, first] = node.path.why(url);
    assert.deepEqual([hit?.source, hit?.tried, hit?.bytes], ['hit', [], []]);
    assert.equal(hit?.provenance?.fetchedBy, 'asker');
    assert.ok((hit?.id ?? 0) > (first?.id ?? 0));
  });

  it('names the peers that were tried, and why one did not do', async () => {
    const node = await rig().node();
    const url = 'https://origin.example/a';
    const liar = await rig().scripted('liar');
    const lie = flipped(content, 300_000);
    node.lan.offer(url, liar.offer(url, content, { object: (response) => void response.end(lie) }));
    const good = await rig().holder('good');
    node.lan.offer(url, good.source(await good.hold(url, content)));
    await isRight(node, url, 'peer', content);
    const [record] = node.path.why(url);
    assert.deepEqual(
      record?.tried.map(({ from, result }) => `${from} ${result}`),
      ['liar lied', 'good ok'],
    );
    assert.match(record?.tried[0]?.why ?? '', /piece 1 does not match its hash/);
    assert.equal(record?.internet, undefined);
    const total = record?.bytes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    assert.equal(total, content.length);
    assert.equal(record?.provenance?.fetchedBy, 'fetcher');
  });

  it('of a request that shared a download names the one that began it', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const url = origin.url('/a');
    origin.serve('/a', { content, headers: FRESH });
    await Promise.all([node.get(url), node.get(url)]);
    const [second, first] = node.path.why(url);
    assert.deepEqual([second?.source, second?.joined], ['collapsed', first?.id]);
  });

  it('of a failure has its code', async () => {
    const { origin } = rig();
    const node = await rig().node();
    const url = origin.url('/dead');
    origin.on('/dead', (request) => request.socket.destroy());
    await assert.rejects(node.get(url));
    const [record] = node.path.why(url);
    assert.deepEqual([record?.source, record?.error?.code], ['failed', 'E_ORIGIN_UNREACHABLE']);
  });

  it('keeps no query of a request that is for one client alone', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.serve('/a', { content, headers: FRESH });
    await node.get(`${origin.url('/a')}?token=secret`, { headers: { authorization: 'x' } });
    assert.ok(!JSON.stringify(node.path.why(undefined)).includes('secret'));
    assert.equal(node.path.why(origin.url('/a')).length, 1);
  });
});

describe('the book of why', () => {
  it('forgets the oldest requests, and bounds what is kept of each', () => {
    const book = new WhyBook(new AdjustableClock());
    const first = book.begin({ url: 'http://a.example/first', service: 'test', personal: false });
    for (let i = 0; i < 500; i += 1) {
      first.asked(`node${i}`);
      first.answered(`node${i}`, 'has-it');
      first.came(`node${i}`, 1);
    }
    const [kept] = book.find('http://a.example/first');
    for (const list of [kept?.asked, kept?.answers, kept?.bytes]) assert.equal(list?.length, 64);
    for (let i = 0; i < 1000; i += 1) {
      book.begin({ url: `http://a.example/${i}`, service: 'test', personal: false });
    }
    assert.deepEqual(book.find('http://a.example/first'), []);
    assert.equal(book.find('http://a.example/0').length, 1);
    assert.equal(book.find(undefined).length, 50);
    assert.equal(book.find(undefined)[0]?.url, 'http://a.example/999');
  });
});
