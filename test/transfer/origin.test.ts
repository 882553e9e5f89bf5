/** Fetching from a real HTTP server: what it sends comes through as it is, or as an error. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createRawServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { AddressGuard } from '@peerage/core/transfer/guard.js';
import { OriginFetcher } from '@peerage/core/transfer/origin.js';
import { collect, collectBroken, contentOf } from '../fakes/content.js';
import { groupAuthority, member } from '../fakes/members.js';
import { LoopbackOrigin } from '../fakes/origin.js';
import { useScratch } from '../fakes/scratch.js';

const guard = new AddressGuard(['127.0.0.0/8']);
const fetcher = new OriginFetcher({ guard, upstreamProxy: '', extraCa: '' });
const content = contentOf('origin', 3_000_000);

/** An origin for the suite, and one that speaks no proper HTTP. */
function useOrigin(): () => LoopbackOrigin {
  let origin: LoopbackOrigin;
  before(async () => {
    origin = await LoopbackOrigin.start();
  });
  after(() => origin.close());
  return () => origin;
}

describe('fetching from an origin', () => {
  const origin = useOrigin();

  it('streams: the head is there before the body, and the bytes as they are sent', async () => {
    let send: (bytes: Buffer | undefined) => void = () => undefined;
    origin().on('/stream', (_request, response) => {
      response.writeHead(200, { 'x-kind': 'stream' });
      response.flushHeaders();
      send = (bytes) => (bytes === undefined ? response.end() : response.write(bytes));
    });
    const answer = await fetcher.fetch('GET', origin().url('/stream'), {});
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['x-kind'], 'stream');
    const body = answer.body[Symbol.asyncIterator]();
    for (const word of ['one', 'two', 'three']) {
      send(Buffer.from(word));
      assert.equal((await body.next()).value?.toString(), word);
    }
    send(undefined);
    assert.equal((await body.next()).done, true);
  });

  it('asks again, once, where the server closed an idle connection meanwhile, but sends nothing twice', async () => {
    let asked = 0;
    const server = createRawServer((socket) => {
      let here = 0;
      socket.on('error', () => undefined);
      socket.on('data', () => {
        asked += 1;
        here += 1;
        // The first request of a connection is answered; at the second it was closed already.
        if (here > 1) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    for (let round = 0; round < 3; round += 1) {
      const { body } = await fetcher.fetch('GET', url, {});
      assert.equal((await collect(body)).toString(), 'ok');
    }
    assert.ok(asked > 3, 'no connection was used again');
    const { body } = await fetcher.fetch('GET', url, {});
    await collect(body);
    const before = asked;
    const post = fetcher.fetch('POST', url, {}, Buffer.from('x')).then(({ body }) => collect(body));
    await post.catch(({ code }) => assert.equal(code, 'E_ORIGIN_UNREACHABLE'));
    assert.equal(asked, before + 1);
    server.close();
  });

  it('says that there is no way to an address, and goes on', async () => {
    class NoWay extends AddressGuard {
      override async resolve(): Promise<string[]> {
        return ['255.255.255.255'];
      }
    }
    const lost = new OriginFetcher({ guard: new NoWay([]), upstreamProxy: '', extraCa: '' });
    const asked = lost.fetch('GET', 'http://nowhere.test/', {});
    await assert.rejects(asked, { code: 'E_ORIGIN_UNREACHABLE' });
  });

  it('delivers a body whole, with or without a length, and an empty one', async () => {
    origin().serve('/whole', { content, headers: { etag: '"a"' } });
    origin().serve('/chunked', { content, headers: {}, chunked: true });
    origin().serve('/empty', { content: Buffer.alloc(0), headers: {} });
    for (const [path, expected] of [
      ['/whole', content],
      ['/chunked', content],
      ['/empty', Buffer.alloc(0)],
    ] as const) {
      const answer = await fetcher.fetch('GET', origin().url(path), {});
      assert.ok((await collect(answer.body)).equals(expected), path);
    }
  });

  it('sends the headers it is given, and none of its own making that would change the answer', async () => {
    origin().serve('/headers', { content, headers: {} });
    const headers = { accept: 'text/x', range: 'bytes=5-9' };
    const answer = await fetcher.fetch('GET', origin().url('/headers'), headers);
    assert.equal(answer.status, 206);
    assert.ok((await collect(answer.body)).equals(content.subarray(5, 10)));
    const { headers: sent } = origin().last('/headers');
    assert.equal(sent.accept, 'text/x');
    assert.equal(sent['accept-encoding'], undefined);
    assert.equal(sent['user-agent'], undefined);
  });

  it('leaves gzip alone: the bytes are the origin’s', async () => {
    const gzip = gzipSync(content);
    origin().serve('/gzip', { content: gzip, headers: { 'content-encoding': 'gzip' } });
    const answer = await fetcher.fetch('GET', origin().url('/gzip'), { 'accept-encoding': 'gzip' });
    assert.equal(answer.headers['content-encoding'], 'gzip');
    assert.ok((await collect(answer.body)).equals(gzip));
  });

  it('passes redirects and errors through, and follows nothing', async () => {
    for (const status of [301, 302, 303, 307, 308, 404, 500, 503]) {
      origin().on('/status', (_request, response) => {
        response.writeHead(status, { location: '/elsewhere', 'retry-after': '5' });
        response.end('x');
      });
      const answer = await fetcher.fetch('GET', origin().url('/status'), {});
      assert.equal(answer.status, status);
      assert.equal(answer.headers['location'], '/elsewhere');
      assert.equal((await collect(answer.body)).toString(), 'x');
    }
    assert.equal(origin().count('/elsewhere'), 0);
  });

  it('asks for the head alone, and gives the connection up when it is cancelled', async () => {
    origin().serve('/head', { content, headers: { etag: '"a"' } });
    const answer = await fetcher.fetch('HEAD', origin().url('/head'), {});
    assert.equal(answer.headers['content-length'], String(content.length));
    assert.equal((await collect(answer.body)).length, 0);
    const closed = new Promise((resolve) => {
      origin().on('/endless', (request, response) => {
        const more = () => response.write(content);
        response.on('drain', more);
        request.socket.once('close', resolve);
        more();
      });
    });
    const endless = await fetcher.fetch('GET', origin().url('/endless'), {});
    const body = endless.body[Symbol.asyncIterator]();
    await body.next();
    endless.cancel();
    await closed;
  });
});

describe('an origin that breaks', () => {
  const origin = useOrigin();

  it('fails a body that ends too early, after the bytes that came', async () => {
    origin().serve('/length', { content, headers: {}, breaks: [100_000] });
    origin().serve('/chunked', { content, headers: {}, breaks: [100_000], chunked: true });
    for (const path of ['/length', '/chunked']) {
      const answer = await fetcher.fetch('GET', origin().url(path), {});
      const { bytes } = await collectBroken(answer.body);
      assert.ok(bytes.equals(content.subarray(0, 100_000)), path);
    }
  });

  /** What comes of a raw answer: its status and body, or the codes of the errors. */
  async function rawAnswer(text: string, end: boolean): Promise<string> {
    const raw = createRawServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => (end ? socket.end(text) : socket.write(text)));
    });
    await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
    const { port } = raw.address() as AddressInfo;
    try {
      const answer = await fetcher.fetch('GET', `http://127.0.0.1:${port}/`, {});
      const body = await collect(answer.body).then(
        (bytes) => bytes.toString(),
        () => 'broken',
      );
      return `${answer.status} ${body}`;
    } catch (error) {
      return (error as { code: string }).code;
    } finally {
      raw.close();
    }
  }

  it('takes no more than Content-Length says, and is not content with less', async () => {
    const long = await rawAnswer('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef', true);
    assert.match(long, /^200 (abc|broken)$/);
    const short = 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabcdef';
    assert.equal(await rawAnswer(short, true), '200 broken');
  });

  it('says that an origin which speaks nonsense cannot be reached', async () => {
    for (const nonsense of [
      'SSH-2.0-OpenSSH\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc',
      'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc',
      `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(1_000_000)}\r\n\r\n`,
      '',
    ]) {
      const code = await rawAnswer(nonsense, true);
      assert.equal(code, 'E_ORIGIN_UNREACHABLE', nonsense.slice(0, 60));
    }
  });

  it('says that an origin cannot be reached where nobody listens', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const url = `http://127.0.0.1:${port}/`;
    await assert.rejects(fetcher.fetch('GET', url, {}), { code: 'E_ORIGIN_UNREACHABLE' });
  });

  it('is not asked at all where the guard forbids it', async () => {
    const strict = new OriginFetcher({
      guard: new AddressGuard([]),
      upstreamProxy: '',
      extraCa: '',
    });
    const denied = { code: 'E_ADDRESS_DENIED' };
    await assert.rejects(strict.fetch('GET', origin().url('/strict'), {}), denied);
    const byName = origin().url('/strict').replace('127.0.0.1', 'localhost');
    await assert.rejects(strict.fetch('GET', byName, {}), denied);
    assert.equal(origin().count('/strict'), 0);
  });
});

describe('an origin over TLS, and the office’s own proxy', () => {
  const scratch = useScratch();

  it('is trusted by a further authority, and by no other', async () => {
    const origin = await LoopbackOrigin.start(member('localhost', 'web'));
    origin.serve('/tls', { content, headers: {} });
    const extraCa = scratch('ca.pem');
    await writeFile(extraCa, groupAuthority('web').certificate.toString());
    const trusting = new OriginFetcher({ guard, upstreamProxy: '', extraCa });
    const answer = await trusting.fetch('GET', origin.url('/tls'), {});
    assert.ok((await collect(answer.body)).equals(content));
    const unreachable = { code: 'E_ORIGIN_UNREACHABLE' };
    await assert.rejects(fetcher.fetch('GET', origin.url('/tls'), {}), unreachable);
    await origin.close();
  });

  it('says which file of authorities cannot be read', () => {
    const extraCa = scratch('none.pem');
    const make = () => new OriginFetcher({ guard, upstreamProxy: '', extraCa });
    assert.throws(make, { code: 'E_EXTRA_CA_UNREADABLE' });
  });

  it('goes through the proxy where there is one, by name', async () => {
    const seen: string[] = [];
    const proxy = createServer((request, response) => {
      seen.push(request.url ?? '');
      response.end('through the proxy');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    const through = new OriginFetcher({
      guard: new AddressGuard([]),
      upstreamProxy: `http://127.0.0.1:${port}`,
      extraCa: '',
    });
    const answer = await through.fetch('GET', 'http://no-such-host.invalid/a?b', {});
    assert.equal((await collect(answer.body)).toString(), 'through the proxy');
    assert.deepEqual(seen, ['http://no-such-host.invalid/a?b']);
    const denied = { code: 'E_ADDRESS_DENIED' };
    await assert.rejects(through.fetch('GET', 'http://169.254.169.254/', {}), denied);
    proxy.closeAllConnections();
    proxy.close();
  });
});
