/** What a node owes the line, the origins and its peers (PROTOCOL §5.6), and what peers cannot abuse. */
import assert from 'node:assert/strict';
import { Pace } from '@peerage/core/base/pace.js';
import { HEARD_MAX_MS, OriginWaits, patienceMs } from '@peerage/core/transfer/origin-waits.js';
import { paced } from '@peerage/core/transfer/paced.js';
import { AdjustableClock } from '../fakes/clock.js';
import { collect, contentOf } from '../fakes/content.js';
import { isRight, useRig } from './rig.js';

const HOST = 'origin.example';

describe('the patience that an origin asks for', () => {
  it('is read from 429, and from 503 with a time', () => {
    assert.equal(patienceMs(429, '30', 0), 30_000);
    assert.equal(patienceMs(503, '5', 0), 5000);
    assert.equal(patienceMs(503, undefined, 0), undefined);
    assert.equal(patienceMs(200, '5', 0), undefined);
    for (const unsaid of [undefined, 'soon', '-5', '1e9']) {
      assert.ok((patienceMs(429, unsaid, Date.now()) ?? 0) <= 60_000, unsaid);
    }
    const now = Date.parse('2026-01-01T00:00:00Z');
    assert.equal(patienceMs(429, 'Thu, 01 Jan 2026 00:00:09 GMT', now), 9000);
    assert.equal(patienceMs(429, 'Wed, 31 Dec 2025 00:00:09 GMT', now), 0);
  });

  it('holds a host back for a bounded time, and a member cannot make it longer', () => {
    const waits = new OriginWaits();
    assert.equal(waits.hear('eve', HOST, 1e9, 0), true);
    assert.equal(waits.leftMs(HOST, 0), HEARD_MAX_MS);
    for (let now = 0; now < 2 * HEARD_MAX_MS; now += HEARD_MAX_MS / 4) {
      if (now > 0) assert.equal(waits.hear('eve', HOST, 1e9, now), false);
      assert.equal(waits.leftMs(HOST, now), Math.max(0, HEARD_MAX_MS - now));
    }
    assert.equal(waits.hear('eve', HOST, 1000, 2 * HEARD_MAX_MS), true, 'its word counts again');
  });

  it('is heard for few hosts of one member, whatever it says; others are heard beside it', () => {
    const waits = new OriginWaits();
    const heard = Array.from({ length: 1000 }, (_, i) => waits.hear('eve', `h${i}`, 60_000, 0));
    assert.equal(heard.filter(Boolean).length, 8);
    assert.equal(waits.hear('bob', HOST, 60_000, 0), true);
    assert.equal(waits.leftMs(HOST, 0), 60_000);
    waits.learn('own.example', 1e12, 0);
    assert.equal(waits.leftMs('own.example', 0), 3_600_000);
  });
});

describe('a node with manners', () => {
  const rig = useRig();
  const content = contentOf('manners', 300_000);
  const headers = { 'cache-control': 'max-age=1', etag: '"a"' };

  it('asks an origin no more that asked for patience, and tells the others', async () => {
    const { origin } = rig();
    const node = await rig().node();
    origin.on('/busy', (_request, response) => {
      response.writeHead(429, { 'retry-after': '30', 'content-length': 0 }).end();
    });
    assert.equal((await node.get(origin.url('/busy'))).status, 429);
    const told = { host: new URL(origin.url('/')).host, seconds: '30' };
    assert.deepEqual(node.lan.announced, [`core wait ${JSON.stringify(told)}`]);
    await assert.rejects(node.get(origin.url('/other')), { code: 'E_ORIGIN_WAITS' });
    assert.equal(origin.asked.length, 1);
    node.clock.advance(30_001);
    assert.equal((await node.get(origin.url('/other'))).status, 404);
  });

  it('obeys what another one learnt, and uses what it has meanwhile', async () => {
    const { origin } = rig();
    const url = origin.url('/a');
    const node = await rig().node();
    origin.serve('/a', { content, headers });
    await isRight(node, url, 'origin', content);
    node.clock.advance(5000);
    const { host } = new URL(url);
    node.manners.heard({ name: 'wait', values: { host, seconds: '30' }, from: 'bob' });
    await isRight(node, url, 'stale', content);
    await assert.rejects(node.get(origin.url('/b')), { code: 'E_ORIGIN_WAITS' });
    assert.equal(origin.asked.length, 1);
    for (const values of [{ host }, { seconds: '9' }, { host, seconds: '-1' }, {}]) {
      node.manners.heard({ name: 'wait', values: values as Record<string, string>, from: 'eve' });
    }
  });

  it('lets plugins use the Internet within its hours only, and a person at any time', async () => {
    const { origin } = rig();
    const hour = new Date().getHours();
    const two = (value: number) => `${(value + 24) % 24}`.padStart(2, '0');
    const node = await rig().node({ hours: `${two(hour + 2)}:00-${two(hour + 3)}:00` });
    origin.serve('/a', { content, headers });
    await assert.rejects(node.get(origin.url('/a')), { code: 'E_OUTSIDE_HOURS' });
    const { body } = await node.path.open('cli', { url: origin.url('/a') });
    assert.ok((await collect(body)).equals(content));
    await node.settled();
  });

  it('takes and gives the same bytes at its rate', async () => {
    const { origin } = rig();
    origin.serve('/a', { content, headers });
    const node = await rig().node({ bytesPerSecond: 10_000_000 });
    await isRight(node, origin.url('/a'), 'origin', content);
    const source = async function* () {
      yield content.subarray(0, 100_000);
      yield content.subarray(100_000);
    };
    const parts: Uint8Array[] = [];
    const pace = new Pace(8_000_000);
    for await (const part of paced(source(), pace, new AdjustableClock())) parts.push(part);
    assert.ok(Buffer.concat(parts).equals(content));
    assert.ok(parts.every(({ length }) => length <= pace.stepBytes));
  });
});
