/** The local sockets of a running node: one for looking, one for changes, and no surprises. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { collect, contentOf, sha256Of } from '../fakes/content.js';
import { LoopbackOrigin } from '../fakes/origin.js';
import { useScratch } from '../fakes/scratch.js';
import { NodeProcess } from './program.js';

describe('the local sockets', function () {
  this.timeout(120_000);
  const scratch = useScratch();
  const content = contentOf('control', 500_000);
  let node: NodeProcess;
  let origin: LoopbackOrigin;
  before(async () => {
    origin = await LoopbackOrigin.start();
    origin.serve('/a', { content, headers: { 'cache-control': 'max-age=60' } });
    node = await NodeProcess.start(scratch('n'), { core: { originAllow: ['127.0.0.0/8'] } });
  });
  after(async () => {
    await node.stop();
    await origin.close();
  });

  async function send(socket: 'control' | 'status', method: string, path: string) {
    const socketPath = join(node.directory, `${socket}.sock`);
    const outgoing = request({ socketPath, method, path, agent: false });
    outgoing.end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const body = await collect(response);
    return { status: response.statusCode, headers: response.headers, body };
  }
  const codeIn = (body: Buffer) => (JSON.parse(body.toString()) as { code: string }).code;

  it('both show what there is to see', async () => {
    for (const socket of ['control', 'status'] as const) {
      for (const view of ['status', 'peers', 'downloads', 'plugins', 'cache']) {
        const { status, body } = await send(socket, 'GET', `/${view}`);
        assert.equal(status, 200, view);
        assert.ok(typeof JSON.parse(body.toString()) === 'object');
      }
    }
  });

  it('only one lets anything be changed or fetched', async () => {
    const url = encodeURIComponent(origin.url('/a'));
    for (const [method, path] of [
      ['GET', `/get?url=${url}`],
      ['POST', `/cache/purge?url=${url}`],
      ['POST', '/status'],
      ['DELETE', '/cache'],
    ] as const) {
      const { status, body } = await send('status', method, path);
      assert.deepEqual([status, codeIn(body)], [403, 'E_READ_ONLY'], path);
    }
    assert.equal(origin.count('/a'), 0);
  });

  it('gives bytes with where they came from, and keeps, pins and forgets them', async () => {
    const url = encodeURIComponent(origin.url('/a'));
    const got = await send('control', 'GET', `/get?url=${url}`);
    assert.ok(got.body.equals(content));
    assert.equal(got.headers['peerage-source'], 'origin');
    while ((await send('status', 'GET', '/cache')).body.length < 10);
    const known = `/get?url=${url}&sha256=${sha256Of(content).toUpperCase()}`;
    const again = await send('control', 'GET', known);
    assert.equal(again.headers['peerage-source'], 'hit');
    assert.equal(again.headers['peerage-sha256'], sha256Of(content));
    for (const [change, entries] of [
      ['pin', 1],
      ['unpin', 1],
      ['purge', 1],
      ['purge', 0],
    ] as const) {
      const { body } = await send('control', 'POST', `/cache/${change}?url=${url}`);
      assert.deepEqual(JSON.parse(body.toString()), { entries }, change);
    }
  });

  it('switch serving off and on', async () => {
    for (const [to, changed] of [
      ['off', 1],
      ['off', 0],
      ['on', 1],
    ] as const) {
      const { body } = await send('control', 'POST', `/serving/${to}`);
      assert.deepEqual(JSON.parse(body.toString()), { entries: changed });
    }
  });

  it('refuse what is no call, each with its code', async () => {
    for (const [method, path, code] of [
      ['GET', '/', 'E_CALL_UNKNOWN'],
      ['GET', '/__proto__', 'E_CALL_UNKNOWN'],
      ['GET', '/constructor', 'E_CALL_UNKNOWN'],
      ['POST', '/cache/constructor', 'E_CALL_UNKNOWN'],
      ['PUT', '/cache/pin?url=x', 'E_CALL_UNKNOWN'],
      ['GET', '/get', 'E_URL_INVALID'],
      ['GET', '/get?url=file:///etc/passwd', 'E_URL_INVALID'],
      ['GET', '/get?url=http://169.254.169.254/', 'E_ADDRESS_DENIED'],
      ['GET', '/get?url=http://a.example/&sha256=xyz', 'E_DIGEST_INVALID'],
    ] as const) {
      const { status, body } = await send('control', method, path);
      assert.deepEqual([status, codeIn(body)], [400, code], path);
    }
    const { status } = await send('control', 'GET', '//');
    assert.equal(status, 400);
  });
});
