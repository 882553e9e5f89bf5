/** GET and HEAD through the cache: heads, ranges, conditions, failures, and the client's pace. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { CodedError } from '@peerage/sdk';
import { open, Rig, response } from './rig.js';

const URL_TEXT = 'http://origin.test/file.bin';
const BODY = Buffer.from(Array.from({ length: 1_000 }, (_, index) => index % 251));
const DATE = 'Sun, 01 Nov 2026 10:00:00 GMT';
const HEAD = { etag: '"one"', 'last-modified': DATE, 'content-type': 'text/plain' };

describe('url-cache: a resource through the proxy', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start();
    rig.peering.put(URL_TEXT, { body: BODY, headers: HEAD });
  });
  afterEach(() => rig.stop());

  const slice = (start: number, end: number) => BODY.subarray(start, end).toString();

  describe('whole', () => {
    it('delivers body, length and headers', async () => {
      const answer = await rig.get(URL_TEXT);
      assert.equal(answer.status, 200);
      assert.equal(answer.body, BODY.toString());
      assert.equal(answer.headers['content-length'], '1000');
      assert.equal(answer.headers.etag, '"one"');
      assert.equal(rig.peering.bodies[0]?.isClosed, true);
    });

    it('answers HEAD with the length and no body', async () => {
      const answer = await rig.get(URL_TEXT, {}, 'HEAD');
      assert.equal(rig.peering.last.method, 'HEAD');
      assert.equal(answer.headers['content-length'], '1000');
      assert.equal(answer.body, '');
      assert.equal(rig.peering.bodies[0]?.isClosed, true);
    });

    it('sends a body of unknown size in chunks', async () => {
      rig.peering.put(URL_TEXT, { body: BODY, isSizeKnown: false });
      const answer = await rig.get(URL_TEXT);
      assert.equal(answer.headers['transfer-encoding'], 'chunked');
      assert.equal(answer.body, BODY.toString());
    });

    it('keeps Age and Date as the core returns them', async () => {
      rig.peering.put(URL_TEXT, { body: 'x', headers: { age: '77', date: DATE } });
      const { headers } = await rig.get(URL_TEXT);
      assert.deepEqual([headers.age, headers.date], ['77', DATE]);
    });

    it("passes the origin's own refusals and redirects on", async () => {
      rig.peering.put(URL_TEXT, { status: 302, body: 'go', headers: { location: '/other' } });
      const answer = await rig.get(URL_TEXT);
      assert.deepEqual([answer.status, answer.headers.location], [302, '/other']);
    });

    it('drops a header that cannot be written instead of failing', async () => {
      rig.peering.put(URL_TEXT, { body: 'x', headers: { 'x-bad': 'a\r\nset-cookie: b', ok: '1' } });
      const answer = await rig.get(URL_TEXT);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['ok'], '1');
      assert.equal(answer.headers['x-bad'], undefined);
      assert.equal(answer.headers['set-cookie'], undefined);
    });
  });

  describe('in part', () => {
    const part = (range: string, headers = {}) => rig.get(URL_TEXT, { range, ...headers });

    it('answers a range with 206 and asks the core for no more', async () => {
      const answer = await part('bytes=10-19');
      assert.equal(answer.status, 206);
      assert.equal(answer.headers['content-range'], 'bytes 10-19/1000');
      assert.equal(answer.headers['content-length'], '10');
      assert.equal(answer.body, slice(10, 20));
      assert.equal(rig.peering.last.startByte, 10);
      assert.equal(rig.peering.last.lengthBytes, 10);
    });

    it('answers an open range to the end', async () => {
      const answer = await part('bytes=990-');
      assert.equal(answer.headers['content-range'], 'bytes 990-999/1000');
      assert.equal(answer.body, slice(990, 1_000));
    });

    it('cuts a range that reaches beyond the end', async () => {
      const answer = await part('bytes=990-5000');
      assert.equal(answer.headers['content-range'], 'bytes 990-999/1000');
      assert.equal(answer.body, slice(990, 1_000));
    });

    it('answers the last bytes, and closes what it opened to learn the size', async () => {
      const answer = await part('bytes=-5');
      assert.equal(answer.headers['content-range'], 'bytes 995-999/1000');
      assert.equal(answer.body, slice(995, 1_000));
      assert.deepEqual(
        rig.peering.bodies.map((body) => [body.isClosed, body.deliveredBytes]),
        [
          [true, 0],
          [true, 5],
        ],
      );
    });

    it('answers the last bytes of a shorter resource with all of it', async () => {
      const answer = await part('bytes=-5000');
      assert.equal(answer.headers['content-range'], 'bytes 0-999/1000');
      assert.equal(answer.body, BODY.toString());
    });

    it('answers 416 with the size beyond the end', async () => {
      const answer = await part('bytes=1000-');
      assert.equal(answer.status, 416);
      assert.equal(answer.headers['content-range'], 'bytes */1000');
      assert.equal(rig.peering.bodies[0]?.isClosed, true);
    });

    for (const range of ['bytes=0-1,5-6', 'bytes=5-2', 'lines=1-2', 'bytes=x-y', 'bytes', '']) {
      it(`answers all of it to Range: ${JSON.stringify(range)}`, async () => {
        const answer = await part(range);
        assert.equal(answer.status, 200);
        assert.equal(answer.body, BODY.toString());
      });
    }

    it('answers all of it while the size is unknown', async () => {
      rig.peering.put(URL_TEXT, { body: BODY, isSizeKnown: false });
      const answer = await part('bytes=10-19');
      assert.equal(answer.status, 200);
      assert.equal(answer.body, BODY.toString());
      assert.equal(
        rig.peering.bodies.every((body) => body.isClosed),
        true,
      );
    });

    it('passes an error page on, whole or cut, without promising a length', async () => {
      rig.peering.put(URL_TEXT, { status: 404, body: 'no such file' });
      const answer = await part('bytes=0-511');
      assert.equal(answer.status, 404);
      assert.equal(answer.body, 'no such file');
      assert.equal(rig.peering.requests.length, 1, 'a 404 must not be asked for twice');
    });

    it('continues a part whose If-Range still holds, by tag and by date', async () => {
      for (const validator of ['"one"', DATE]) {
        const answer = await part('bytes=990-', { 'if-range': validator });
        assert.equal(answer.status, 206, validator);
      }
    });

    it('sends all of it when If-Range no longer holds, or is weak', async () => {
      for (const validator of ['"two"', 'W/"one"', 'Sun, 01 Nov 2026 10:00:01 GMT', 'x']) {
        const answer = await part('bytes=990-', { 'if-range': validator });
        assert.equal(answer.status, 200, validator);
        assert.equal(answer.body, BODY.toString());
      }
      assert.equal(
        rig.peering.bodies.every((body) => body.isClosed),
        true,
      );
    });
  });

  describe('on a condition', () => {
    const check = async (headers: Record<string, string>, status: number) => {
      const answer = await rig.get(URL_TEXT, headers);
      assert.equal(answer.status, status, JSON.stringify(headers));
      assert.equal(
        rig.peering.bodies.every((body) => body.isClosed),
        true,
      );
      return answer;
    };

    it('answers 304 to a matching tag, comparing weakly', async () => {
      const answer = await check({ 'if-none-match': '"zero", W/"one"' }, 304);
      assert.equal(answer.headers.etag, '"one"');
      assert.equal(answer.headers['content-type'], undefined);
      assert.equal(answer.body, '');
      await check({ 'if-none-match': '*' }, 304);
      rig.peering.put(URL_TEXT, { body: BODY, headers: { etag: 'W/"one"' } });
      await check({ 'if-none-match': '"one"' }, 304);
    });

    it('answers 304 to a copy that is not older', async () => {
      await check({ 'if-modified-since': DATE }, 304);
      await check({ 'if-modified-since': 'Mon, 02 Nov 2026 10:00:00 GMT' }, 304);
    });

    it('answers 200 to another tag, an older copy, nonsense', async () => {
      await check({ 'if-none-match': '"two"' }, 200);
      await check({ 'if-modified-since': 'Sat, 31 Oct 2026 10:00:00 GMT' }, 200);
      await check({ 'if-modified-since': 'yesterday' }, 200);
    });

    it('lets the tag decide where both are given', async () => {
      await check({ 'if-none-match': '"two"', 'if-modified-since': DATE }, 200);
    });

    it('answers 304 to a header probe of freshclam, Range or not', async () => {
      await check({ range: 'bytes=0-511', 'if-modified-since': DATE }, 304);
    });

    it('does not show the conditions to the core', async () => {
      const conditions = { 'if-none-match': '"x"', 'if-modified-since': DATE, range: 'bytes=0-1' };
      await rig.get(URL_TEXT, { ...conditions, 'if-range': '"x"', 'cache-control': 'max-age=0' });
      const names = Object.keys(rig.peering.last.headers ?? {});
      assert.equal(
        names.some((name) => name.startsWith('if-') || name === 'range'),
        false,
      );
      assert.equal(rig.peering.last.headers?.['cache-control'], 'max-age=0');
    });
  });

  describe('Cache-Status', () => {
    const cases = [
      ['hit', 'peerage; hit'],
      ['peer', 'peerage; fwd=uri-miss; detail=peer'],
      ['origin', 'peerage; fwd=uri-miss; detail=origin'],
      ['collapsed', 'peerage; fwd=uri-miss; collapsed'],
      ['revalidated', 'peerage; fwd=stale; detail=revalidated'],
      ['stale', 'peerage; hit; detail=stale'],
    ] as const;
    for (const [source, status] of cases) {
      it(`says "${status}" for ${source}`, async () => {
        rig.peering.put(URL_TEXT, { body: BODY, source });
        assert.equal((await rig.get(URL_TEXT)).headers['cache-status'], status);
      });
    }

    it('stands after the entries of caches nearer to the origin', async () => {
      rig.peering.put(URL_TEXT, {
        body: '',
        headers: { 'cache-status': 'edge; hit' },
        source: 'hit',
      });
      const { headers } = await rig.get(URL_TEXT);
      assert.equal(headers['cache-status'], 'edge; hit, peerage; hit');
    });
  });

  describe('when something fails', () => {
    it('answers 502 with the code while nothing is sent yet', async () => {
      rig.peering.put(URL_TEXT, { body: BODY, failsAfterBytes: 0 });
      const answer = await rig.get(URL_TEXT);
      assert.equal(answer.status, 502);
      assert.equal(answer.headers['peerage-error'], 'E_DIGEST_MISMATCH');
      assert.equal(answer.headers.etag, undefined, 'nothing of the failed answer may be left');
      assert.match(answer.body, /^E_DIGEST_MISMATCH: /);
    });

    for (const [code, status] of [
      ['E_URL_INVALID', 400],
      ['E_URL_NOT_GRANTED', 502],
      ['E_ADDRESS_DENIED', 502],
      ['E_ORIGIN_UNREACHABLE', 502],
      ['E_DIGEST_MISMATCH', 502],
      ['E_CANCELLED', 503],
    ] as const) {
      it(`answers ${status} to ${code}, never 403 or 429`, async () => {
        rig.peering.put(URL_TEXT, new CodedError(code, 'no', { action: 'wait' }));
        const answer = await rig.get(URL_TEXT);
        assert.equal(answer.status, status);
        assert.equal(answer.headers['peerage-error'], code);
        assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
        assert.equal(answer.headers['cache-status'], `peerage; detail=${code}`);
        assert.equal(answer.body, `${code}: no; wait\n`);
        assert.equal(rig.plugin.refusals.count(code), 1);
      });
    }

    const cutOff = async (version: '1.0' | '1.1') => {
      const answer = await rig.raw(
        `GET ${URL_TEXT} HTTP/${version}\r\nHost: origin.test\r\nConnection: close\r\n\r\n`,
      );
      return answer.slice(answer.indexOf('\r\n\r\n') + 4);
    };

    it('cuts the connection when a body of known size breaks off', async () => {
      rig.peering.put(URL_TEXT, { body: BODY, failsAfterBytes: 400 });
      assert.equal((await cutOff('1.1')).length < 1_000, true);
      await assert.rejects(rig.get(URL_TEXT), { code: 'ECONNRESET' });
    });

    it('cuts the connection when a chunked body breaks off, without a last chunk', async () => {
      rig.peering.put(URL_TEXT, { body: BODY, isSizeKnown: false, failsAfterBytes: 400 });
      assert.equal((await cutOff('1.1')).endsWith('0\r\n\r\n'), false);
      await assert.rejects(rig.get(URL_TEXT), { code: 'ECONNRESET' });
    });

    it('resets the connection where its end would be the end of the body', async () => {
      rig.peering.put(URL_TEXT, { body: BODY, isSizeKnown: false, failsAfterBytes: 400 });
      const socket = connect(rig.port(), '127.0.0.1');
      socket.write(`GET ${URL_TEXT} HTTP/1.0\r\n\r\n`);
      socket.resume();
      const [error] = await once(socket, 'error').catch((thrown: unknown) => [thrown]);
      assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
    });

    for (const [how, change] of [
      ['shorter', { endsAfterBytes: 900 }],
      ['longer', { headers: { 'content-length': '900' }, isSizeKnown: false, chunkBytes: 500 }],
    ] as const) {
      it(`cuts the connection when a body is ${how} than promised`, async () => {
        rig.peering.put(URL_TEXT, { body: BODY, ...change });
        await assert.rejects(rig.get(URL_TEXT));
        assert.equal(rig.plugin.refusals.count('E_BODY_LENGTH'), 1);
      });
    }

    it('refuses to mix two versions of a resource', async () => {
      const opened = rig.peering.arrival();
      const answered = rig.get(URL_TEXT, { range: 'bytes=-5' });
      await opened;
      rig.peering.put(URL_TEXT, { body: BODY.subarray(1), headers: HEAD });
      const answer = await answered;
      assert.equal(answer.headers['peerage-error'], 'E_RESOURCE_CHANGED');
      assert.equal(
        rig.peering.bodies.every((body) => body.isClosed),
        true,
      );
    });
  });

  describe('at the pace of the client', () => {
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

describe('url-cache: a core in trouble', () => {
  it('lets the client have the file from the origin', async () => {
    const rig = await Rig.start();
    try {
      const port = await rig.serve(createServer((_request, answer) => void answer.end('direct')));
      rig.peering.put(URL_TEXT, new Error('the store is full')).lead('origin.test:80', port);
      const answer = await rig.get(URL_TEXT);
      assert.equal(answer.body, 'direct');
      assert.equal(answer.headers['cache-status'], 'peerage; fwd=bypass; detail=E_INTERNAL');
    } finally {
      await rig.stop();
    }
  });
});
