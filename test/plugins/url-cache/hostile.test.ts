/** What no client should send: one short answer or a cut connection, and the proxy goes on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ask, Rig } from './rig.js';

const URL_TEXT = 'http://origin.test/';

describe('url-cache: hostile input', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start({
      maxConnections: 20,
      mirrors: [{ port: 0, upstream: 'https://registry.test/base/' }],
    });
    rig.peering.put(URL_TEXT, { body: 'still here' });
  });
  afterEach(async () => {
    assert.equal((await rig.get(URL_TEXT)).body, 'still here');
    await rig.stop();
  });

  const line = (target: string, rest = '') =>
    `GET ${target} HTTP/1.1\r\nHost: origin.test\r\nConnection: close\r\n${rest}\r\n`;

  const refused: ReadonlyArray<readonly [string, string, string]> = [
    ['credentials in the URL', line('http://user:pass@origin.test/'), '400'],
    ['a user name in the URL', line('http://user@origin.test/'), '400'],
    ['the scheme ftp', line('ftp://origin.test/'), '400'],
    ['the scheme file', line('file:///etc/passwd'), '400'],
    ['the scheme javascript', line('javascript:alert(1)'), '400'],
    ['a URL without a host', line('http:///path'), '502'],
    ['a port out of range', line('http://origin.test:99999/'), '400'],
    ['an unclosed IPv6 address', line('http://[::1/'), '400'],
    ['a NUL in the URL', line('http://origin.test/\0'), '400'],
    ['a NUL in a header', line(URL_TEXT, 'X-A: b\0c\r\n'), '400'],
    ['two Host headers', line(URL_TEXT, 'Host: other.test\r\n'), '400'],
    [
      'a length and chunks',
      line(URL_TEXT, 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'),
      '400',
    ],
    ['two lengths', line(URL_TEXT, 'Content-Length: 1\r\nContent-Length: 2\r\n'), '400'],
    ['a negative length', line(URL_TEXT, 'Content-Length: -1\r\n'), '400'],
    ['a folded header', line(URL_TEXT, 'X-A: b\r\n c\r\n'), '400'],
    ['bare line feeds', `GET ${URL_TEXT} HTTP/1.1\nHost: a\n\n`, '400'],
    ['no Host', `GET ${URL_TEXT} HTTP/1.1\r\nConnection: close\r\n\r\n`, '400'],
    ['a TLS handshake', '\x16\x03\x01\x00\x05hello', '400'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '400'],
    ['another protocol', 'SSH-2.0-OpenSSH_9\r\n', '400'],
    ['an unknown method', `BREW ${URL_TEXT} HTTP/1.1\r\nHost: a\r\n\r\n`, '400'],
    ['the asterisk', 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', '400'],
    ['an expectation', line(URL_TEXT, 'Expect: a-miracle\r\n'), '417'],
  ];
  for (const [what, bytes, status] of refused) {
    it(`answers ${status} to ${what}`, async () => {
      const answer = await rig.raw(Buffer.from(bytes, 'latin1'));
      assert.equal(answer.slice(0, 12), `HTTP/1.1 ${status}`);
      assert.match(answer, /\r\npeerage-error: E_\w+\r\n/i);
    });
  }

  it('answers 431 to 10 MB of headers', async () => {
    const answer = await rig.raw(
      `GET ${URL_TEXT} HTTP/1.1\r\nHost: a\r\nX-Long: `,
      Buffer.alloc(10 * 1024 * 1024, 'x'),
    );
    assert.match(answer, /^HTTP\/1\.1 431 /);
    assert.match(answer, /peerage-error: E_HEADERS_TOO_LARGE/);
    assert.equal(rig.plugin.refusals.count('E_HEADERS_TOO_LARGE'), 1);
  });

  it('answers 431 to a URL without end', async () => {
    const answer = await rig.raw('GET http://origin.test/', Buffer.alloc(1024 * 1024, 'x'));
    assert.match(answer, /^HTTP\/1\.1 431 /);
  });

  it('cuts a client that sends its head too slowly', async function () {
    this.timeout(15_000);
    const sockets = Array.from({ length: 10 }, () => connect(rig.port(), '127.0.0.1'));
    for (const socket of sockets) socket.write('GET http://slow.test/ HTTP/1.1\r\nX-A: ');
    assert.equal((await rig.get(URL_TEXT)).status, 200, 'others must be served meanwhile');
    await Promise.all(sockets.map((socket) => gone(socket)));
    assert.equal(rig.plugin.refusals.count('E_REQUEST_TIMEOUT'), 10);
  });

  it('drops connections beyond the limit, and counts them', async () => {
    const sockets = Array.from({ length: 30 }, () => connect(rig.port(), '127.0.0.1'));
    const dropped = sockets.map((socket) => gone(socket).then(() => 'gone'));
    await Promise.any(dropped);
    assert.equal(rig.plugin.refusals.count('E_BUSY') > 0, true);
    for (const socket of sockets) socket.destroy();
    await Promise.all(dropped);
  });

  it('limits the requests in work on one connection', async () => {
    rig.peering.put(URL_TEXT, { body: 'x', stallsAfterBytes: 0 });
    const socket = connect(rig.port(), '127.0.0.1');
    const all = Array.from({ length: 200 }, () => `GET ${URL_TEXT} HTTP/1.1\r\nHost: a\r\n\r\n`);
    socket.write(all.join(''));
    while (rig.plugin.refusals.count('E_BUSY') < 150) await new Promise(setImmediate);
    assert.equal(rig.peering.requests.length <= 32, true);
    socket.destroy();
    await Promise.all(rig.peering.bodies.map((body) => body.closed()));
    rig.peering.put(URL_TEXT, { body: 'still here' });
  });

  it('survives clients that leave in the middle of anything', async () => {
    const parts = [
      'G',
      `GET ${URL_TEXT}`,
      `GET ${URL_TEXT} HTTP/1.1\r\nHost: a\r\n`,
      `POST ${URL_TEXT} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc`,
      `POST ${URL_TEXT} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab`,
      `POST ${URL_TEXT} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      'CONNECT origin.test:80 HTTP/1.1\r\nHost: a\r\n\r\n',
      'CONNECT origin.test:443 HTTP/1.1\r\nHost: a\r\n\r\n',
    ];
    for (const part of parts) {
      for (const leave of ['end', 'resetAndDestroy'] as const) {
        const socket = connect(rig.port(), '127.0.0.1');
        await once(socket, 'connect');
        const closed = gone(socket.resume());
        socket.write(part, () => socket[leave]());
        await closed;
      }
    }
  });

  it('does not forward the rest of a request as a second one', async () => {
    const answer = await rig.raw(
      `${line(URL_TEXT, 'Content-Length: 5\r\n')}hello${line('http://second.test/')}`,
    );
    assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1);
    assert.equal(rig.peering.requests.length, 0);
  });

  describe('at a mirror', () => {
    const mirror = (target: string, method = 'GET') => ask(rig.port(0), target, { method });

    it('never leaves its upstream', async () => {
      for (const path of ['/../other', '/a/../../other', '/%2e%2e/other', '/..\\other']) {
        const answer = await mirror(path);
        assert.equal(answer.headers['peerage-error'], 'E_URL_INVALID', path);
      }
      for (const path of ['//evil.test/x', '/@evil.test/', '/:80@evil.test/', '/\\evil.test/']) {
        await mirror(path);
        assert.match(rig.peering.last.url, /^https:\/\/registry\.test\/base\//, path);
      }
    });

    it('is no proxy', async () => {
      assert.equal((await mirror('http://evil.test/')).headers['peerage-error'], 'E_NOT_A_PROXY');
      const own = `http://127.0.0.1:${rig.port(0)}/package`;
      await mirror(own);
      assert.equal(rig.peering.last.url, 'https://registry.test/base/package');
      const socket = connect(rig.port(0), '127.0.0.1');
      socket.write('CONNECT origin.test:80 HTTP/1.1\r\nHost: a\r\n\r\n');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 400 /);
      socket.destroy();
    });
  });
});

function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => undefined);
    socket.once('close', () => resolve());
  });
}
