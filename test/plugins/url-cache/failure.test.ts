/** Failures: clean refusals before the answer has begun, a cut connection after. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { CodedError } from '@peerage/sdk';
import { Rig } from './rig.js';

const URL_TEXT = 'http://origin.test/file.bin';
const BODY = Buffer.from(Array.from({ length: 1_000 }, (_, index) => index % 251));
const DATE = 'Sun, 01 Nov 2026 10:00:00 GMT';
const HEAD = { etag: '"one"', 'last-modified': DATE, 'content-type': 'text/plain' };

describe('url-cache: a resource that fails', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start();
    rig.peering.put(URL_TEXT, { body: BODY, headers: HEAD });
  });
  afterEach(() => rig.stop());

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
