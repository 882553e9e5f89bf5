/** Requests that are carried to the origin: uploads, conditions of the origin, breaking off. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { CodedError } from '@peerage/sdk';
import { ask, open, Rig, response } from './rig.js';

const URL_TEXT = 'http://origin.test/page';

describe('url-cache: methods that no cache answers', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start();
  });
  afterEach(() => rig.stop());

  interface Seen {
    line: string;
    headers: IncomingMessage['headers'];
    body: string;
  }
  let seen: Seen[];
  const origin = async (act: (request: IncomingMessage, answer: ServerResponse) => void) => {
    const server = createServer((request, answer) => {
      void text(request).then(
        (body) => {
          seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
          act(request, answer);
        },
        () => undefined,
      );
    });
    rig.peering.lead('origin.test:80', await rig.serve(server));
  };
  beforeEach(() => {
    seen = [];
  });

  it('streams a POST to the origin and its answer back', async () => {
    await origin((_request, answer) => {
      answer.writeHead(201, { 'set-cookie': ['a=1', 'b=2'], 'x-ok': '1' }).end('created');
    });
    const answer = await ask(rig.port(), `${URL_TEXT}?a=b`, {
      method: 'POST',
      headers: { 'x-one': '1', 'pacote-integrity': 'sha512-x' },
      body: 'upload',
    });
    assert.deepEqual([answer.status, answer.body], [201, 'created']);
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
    assert.equal(answer.headers['cache-status'], 'peerage; fwd=method');
    assert.equal(seen[0]?.line, 'POST /page?a=b');
    assert.equal(seen[0]?.body, 'upload');
    assert.equal(seen[0]?.headers.host, 'origin.test');
    assert.equal(seen[0]?.headers['x-one'], '1');
    assert.equal(seen[0]?.headers['pacote-integrity'], undefined);
    assert.match(String(seen[0]?.headers.via), /^1\.1 peerage-/);
    assert.equal(rig.peering.requests.length, 0);
  });

  it('keeps a chunked body framed, also for methods that rarely have one', async () => {
    await origin((_request, answer) => void answer.end('done'));
    const sent = open(rig.port(), URL_TEXT, {
      method: 'DELETE',
      headers: { 'transfer-encoding': 'chunked' },
    });
    sent.write('GET http://smuggled.test/ HTTP/1.1\r\n\r\n');
    sent.end('tail');
    assert.equal(await text(await response(sent)), 'done');
    assert.equal(seen.length, 1);
    assert.match(String(seen[0]?.body), /^GET http.*tail$/s);
  });

  it('forwards what only an origin may decide, and GETs with a body', async () => {
    await origin((_request, answer) => void answer.writeHead(412).end());
    const conditional = await rig.get(URL_TEXT, { 'if-match': '"one"' });
    assert.equal(conditional.status, 412);
    assert.equal(conditional.headers['cache-status'], 'peerage; fwd=request');
    const withBody = { headers: { 'content-length': '2' }, body: '{}' };
    assert.equal((await ask(rig.port(), URL_TEXT, withBody)).status, 412);
    assert.deepEqual(
      seen.map(({ body }) => body),
      ['', '{}'],
    );
  });

  it('lets a large answer arrive whole', async () => {
    const big = 'x'.repeat(3_000_000);
    await origin((_request, answer) => void answer.end(big));
    const answer = await ask(rig.port(), URL_TEXT, { method: 'PUT', body: 'x' });
    assert.equal(answer.body.length, big.length);
  });

  it('cuts the connection when the origin breaks off', async () => {
    await origin((_request, answer) => {
      answer.writeHead(200, { 'content-length': '1000' });
      answer.write('part', () => answer.destroy());
    });
    await assert.rejects(ask(rig.port(), URL_TEXT, { method: 'POST', body: 'x' }));
  });

  it('answers 502 when the origin hangs up, refuses, or may not be reached', async () => {
    await origin((request) => void request.socket.destroy());
    const code = async (url: string) => {
      const answer = await ask(rig.port(), url, { method: 'POST', body: 'x' });
      assert.equal(answer.status, 502);
      return answer.headers['peerage-error'];
    };
    assert.equal(await code(URL_TEXT), 'E_ORIGIN_UNREACHABLE');
    rig.peering.lead('closed.test:80', 1);
    assert.equal(await code('http://closed.test/'), 'E_ORIGIN_UNREACHABLE');
    assert.equal(await code('http://169.254.169.254/'), 'E_ADDRESS_DENIED');
    rig.peering.lead('away.test:8080', new CodedError('E_ORIGIN_UNREACHABLE', 'no name'));
    assert.equal(await code('http://away.test:8080/'), 'E_ORIGIN_UNREACHABLE');
  });

  it('lets the origin answer before it has read the body', async () => {
    const server = createServer((request, answer) => {
      answer.writeHead(413, { connection: 'close' }).end('too large');
      request.socket.end();
    });
    rig.peering.lead('origin.test:80', await rig.serve(server));
    const sent = open(rig.port(), URL_TEXT, { method: 'POST' });
    sent.on('error', () => undefined);
    sent.write('first part');
    const answer = await response(sent);
    assert.equal(answer.statusCode, 413);
    assert.equal(await text(answer), 'too large');
    sent.destroy();
  });

  it('ends the request at the origin when the client goes away', async () => {
    const sent = open(rig.port(), URL_TEXT, { method: 'POST' });
    sent.on('error', () => undefined);
    let gone: Promise<unknown> | undefined;
    const arrived = new Promise<void>((resolve) => {
      void origin((_request, answer) => {
        gone = once(answer, 'close');
        resolve();
      }).then(() => sent.end('x'));
    });
    await arrived;
    sent.destroy();
    await gone;
  });

  it('does not trace', async () => {
    const answer = await ask(rig.port(), URL_TEXT, { method: 'TRACE' });
    assert.equal(answer.headers['peerage-error'], 'E_METHOD_UNSUPPORTED');
  });
});
