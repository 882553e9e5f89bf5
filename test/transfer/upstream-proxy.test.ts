/** The office's own proxy (`core.upstreamProxy`): every request to an origin goes through it. */
import assert from 'node:assert/strict';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { AddressGuard } from '@peerage/core/transfer/guard.js';
import { OriginFetcher } from '@peerage/core/transfer/origin.js';

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

describe("the office's own proxy", () => {
  const asked: string[] = [];
  const origin = createServer((_request, response) => response.end('from the origin'));
  const proxy = createServer((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    const onward = request(incoming.url ?? '', { method: 'GET' }, (answer) =>
      answer.pipe(response),
    );
    onward.end();
  });
  proxy.on('connect', (incoming, client) => {
    asked.push(`CONNECT ${incoming.url}`);
    const [host = '', port = ''] = (incoming.url ?? '').split(':');
    const onward = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(client);
      client.pipe(onward);
    });
    for (const socket of [onward, client]) socket.on('error', () => undefined);
  });
  let originPort = 0;
  let fetcher: OriginFetcher;

  before(async () => {
    originPort = await listening(origin);
    const upstreamProxy = `http://127.0.0.1:${await listening(proxy)}`;
    fetcher = new OriginFetcher({
      guard: new AddressGuard(['127.0.0.0/8']),
      upstreamProxy,
      extraCa: '',
    });
  });

  after(() => {
    for (const server of [origin, proxy]) {
      server.closeAllConnections();
      server.close();
    }
  });

  it('gets plain requests with the whole URL', async () => {
    const url = `http://127.0.0.1:${originPort}/file`;
    const answer = await fetcher.fetch('GET', url, {});
    const chunks: Buffer[] = [];
    for await (const chunk of answer.body) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), 'from the origin');
    assert.deepEqual(asked.splice(0), [`GET ${url}`]);
  });

  it('gets a tunnel for TLS, and sees nothing of what goes through it', async () => {
    const failed = fetcher.fetch('GET', `https://127.0.0.1:${originPort}/secret`, {});
    await assert.rejects(failed, { code: 'E_ORIGIN_UNREACHABLE' });
    assert.deepEqual(asked.splice(0), [`CONNECT 127.0.0.1:${originPort}`]);
  });
});
