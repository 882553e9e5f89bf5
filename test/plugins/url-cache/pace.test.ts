/** The client's pace: backpressure, leaving, pipelining. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { open, Rig, response } from './rig.js';

const URL_TEXT = 'http://origin.test/file.bin';
const BODY = Buffer.from(Array.from({ length: 1_000 }, (_, index) => index % 251));
const DATE = 'Sun, 01 Nov 2026 10:00:00 GMT';
const HEAD = { etag: '"one"', 'last-modified': DATE, 'content-type': 'text/plain' };

describe('url-cache: a resource at the pace of the client', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start();
    rig.peering.put(URL_TEXT, { body: BODY, headers: HEAD });
  });
  afterEach(() => rig.stop());

  const BIG = { body: Buffer.alloc(64 * 1024 * 1024), headers: HEAD };

  it('closes the body and aborts when the client goes away', async () => {
    rig.peering.put(URL_TEXT, { ...BIG, stallsAfterBytes: 65_536 });
    const sent = open(rig.port(), URL_TEXT);
    sent.end();
    const answer = await response(sent);
    await once(answer, 'readable');
    answer.destroy();
    await rig.peering.bodies[0]?.closed();
    assert.equal(rig.peering.last.signal?.aborted, true);
  });

  it('does not read ahead of a client that does not read', async () => {
    rig.peering.put(URL_TEXT, BIG);
    const sent = open(rig.port(), URL_TEXT);
    sent.end();
    const answer = await response(sent);
    await settledDelivery(rig);
    const deliveredBytes = rig.peering.bodies[0]?.deliveredBytes ?? 0;
    assert.equal(deliveredBytes > 0 && deliveredBytes < BIG.body.length / 2, true);
    answer.destroy();
    await rig.peering.bodies[0]?.closed();
  });

  it('aborts requests that wait in line when their connection dies', async () => {
    rig.peering.put(URL_TEXT, { ...BIG, stallsAfterBytes: 0 });
    const socket = connect(rig.port(), '127.0.0.1');
    const line = `GET ${URL_TEXT} HTTP/1.1\r\nHost: origin.test\r\n\r\n`;
    const first = rig.peering.arrival();
    socket.write(line + line);
    await first;
    while (rig.peering.bodies.length < 2) await rig.peering.arrival();
    socket.destroy();
    await Promise.all(rig.peering.bodies.map((body) => body.closed()));
    assert.equal(
      rig.peering.requests.every(({ signal }) => signal?.aborted),
      true,
    );
  });

  it('answers pipelined requests in their order', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    for (const name of names) rig.peering.put(`http://o.test/${name}`, { body: `<${name}>` });
    const lines = names.map((name, index) => {
      const close = index === names.length - 1 ? 'Connection: close\r\n' : '';
      return `GET http://o.test/${name} HTTP/1.1\r\nHost: o.test\r\n${close}\r\n`;
    });
    const answer = await rig.raw(lines.join(''));
    assert.deepEqual(
      answer.match(/<.>/g),
      names.map((name) => `<${name}>`),
    );
  });
});

/** Resolves when the delivery has stood still for some turns of the event loop. */
async function settledDelivery(rig: Rig): Promise<void> {
  let before = -1;
  for (let still = 0; still < 50; ) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = rig.peering.bodies[0]?.deliveredBytes ?? 0;
    still = now === before ? still + 1 : 0;
    before = now;
  }
}
