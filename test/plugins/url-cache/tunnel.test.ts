/** CONNECT: blind tunnels for TLS, the cache for plain HTTP, refusals. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { CodedError } from '@peerage/sdk';
import { echoServer, Rig } from './rig.js';

const HELLO = Buffer.from([0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5]);

describe('url-cache: CONNECT', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start({ connectPorts: [443, 80, 8443] });
  });
  afterEach(() => rig.stop());

  /** Opens a tunnel; `ahead` goes out in one piece with the CONNECT. */
  const tunnel = async (authority: string, ahead?: Uint8Array): Promise<[Socket, string]> => {
    const socket = connect(rig.port(), '127.0.0.1');
    const line = Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    socket.write(ahead === undefined ? line : Buffer.concat([line, ahead]));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return [socket, answer.toString('latin1')];
  };
  const refusal = async (authority: string) => {
    const answer = await rig.raw(`CONNECT ${authority} HTTP/1.1\r\nHost: x\r\n\r\n`);
    return { status: answer.slice(9, 12), code: /peerage-error: (\w+)/.exec(answer)?.[1], answer };
  };

  it('carries TLS unread, in both directions', async () => {
    rig.peering.lead('origin.test:443', await rig.serve(echoServer()));
    const [socket, answer] = await tunnel('origin.test:443');
    assert.match(answer, /^HTTP\/1\.1 200 Connection Established\r\n/);
    assert.match(answer, /cache-status: peerage; fwd=method/);
    socket.write(HELLO);
    const [echo] = (await once(socket, 'data')) as [Buffer];
    assert.deepEqual(echo, HELLO);
    socket.end();
    await once(socket, 'close');
  });

  it('carries bytes that came along with the CONNECT', async () => {
    rig.peering.lead('origin.test:443', await rig.serve(echoServer()));
    const [socket, answer] = await tunnel('origin.test:443', HELLO);
    const echoed = answer.split('\r\n\r\n')[1];
    const echo = echoed === '' ? ((await once(socket, 'data')) as [Buffer])[0] : echoed;
    assert.equal(Buffer.from(echo ?? '').length, HELLO.length);
    socket.destroy();
  });

  it('carries TLS on other allowed ports, dialling after the first byte', async () => {
    rig.peering.lead('origin.test:8443', await rig.serve(echoServer()));
    const [socket] = await tunnel('origin.test:8443');
    assert.deepEqual(rig.peering.routed, []);
    socket.write(HELLO);
    await once(socket, 'data');
    assert.deepEqual(rig.peering.routed, ['origin.test:8443']);
    socket.destroy();
  });

  it('closes the client when the origin closes, and the origin when the client does', async () => {
    const server = createServer();
    rig.peering.lead('origin.test:443', await rig.serve(server));
    for (const leaver of ['client', 'origin'] as const) {
      const connection = once(server, 'connection') as Promise<[Socket]>;
      const [socket] = await tunnel('origin.test:443', HELLO);
      const [accepted] = await connection;
      const [leaving, staying] = leaver === 'client' ? [socket, accepted] : [accepted, socket];
      const closed = once(staying.resume(), 'close');
      leaving.end();
      await closed;
    }
  });

  describe('plain HTTP inside', () => {
    beforeEach(() => {
      rig.peering.put('http://database.test/test.cvd', { body: 'ClamAV-VDB', source: 'peer' });
    });
    const inner = (host: string) => `GET /test.cvd HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

    it('is cached, as freshclam 1.4 needs it, without touching the network', async () => {
      const [socket] = await tunnel('database.test:80');
      socket.write(inner('database.test'));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 200 OK\r\n/);
      assert.match(answer.toString(), /cache-status: peerage; fwd=uri-miss; detail=peer/i);
      assert.match(answer.toString(), /ClamAV-VDB$/);
      assert.deepEqual(rig.peering.routed, []);
      socket.write(inner('database.test'));
      await once(socket, 'data');
      assert.equal(rig.peering.requests.length, 2, 'the tunnel must live on');
      socket.destroy();
    });

    it('is read also when it comes along with the CONNECT, in pieces', async () => {
      const ahead = Buffer.from(inner('database.test'));
      const [socket] = await tunnel('database.test:80', ahead.subarray(0, 1));
      socket.write(ahead.subarray(1));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(answer.toString(), /ClamAV-VDB$/);
      socket.destroy();
    });

    it("is for the tunnel's port, whatever its Host says", async () => {
      const url = 'http://database.test:8443/test.cvd';
      rig.peering.put(url, { body: 'other port' });
      const [socket] = await tunnel('database.test:8443');
      socket.write(inner('database.test'));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(answer.toString(), /other port$/);
      assert.equal(rig.peering.last.url, url);
      socket.destroy();
    });

    it('cannot reach our own pages, another port, or ourselves', async () => {
      for (const host of ['a b', 'user@database.test', 'x/y', '']) {
        const [socket] = await tunnel('database.test:80');
        socket.write(inner(host));
        const [answer] = (await once(socket, 'data')) as [Buffer];
        assert.match(answer.toString(), /^HTTP\/1\.1 400 /, host);
        socket.destroy();
      }
    });

    it('is closed after nonsense', async () => {
      const [socket] = await tunnel('database.test:80');
      socket.write('SSH-2.0-OpenSSH_9\r\n');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 400 /);
      await once(socket, 'close');
    });

    it('may not hold another CONNECT', async () => {
      const [socket] = await tunnel('database.test:80');
      socket.write('CONNECT database.test:80 HTTP/1.1\r\nHost: x\r\n\r\n');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(answer.toString(), /peerage-error: E_REQUEST_INVALID/);
      await once(socket, 'close');
    });
  });

  describe('is refused', () => {
    it('to ports outside the list', async () => {
      const { status, code, answer } = await refusal('origin.test:22');
      assert.deepEqual([status, code], ['502', 'E_PORT_NOT_ALLOWED']);
      assert.match(answer, /connectPorts/);
    });

    it('to addresses that the core denies, and where nobody answers', async () => {
      assert.equal((await refusal('169.254.169.254:443')).code, 'E_ADDRESS_DENIED');
      rig.peering.lead('closed.test:443', 1);
      assert.equal((await refusal('closed.test:443')).code, 'E_ORIGIN_UNREACHABLE');
      rig.peering.lead('away.test:443', new CodedError('E_ORIGIN_UNREACHABLE', 'no name'));
      assert.equal((await refusal('away.test:443')).status, '502');
    });

    it('to ourselves, directly or by a name', async () => {
      rig.peering.lead('circle.test:443', rig.port());
      assert.equal((await refusal('circle.test:443')).status, '508');
    });

    for (const authority of [
      'origin.test',
      'origin.test:',
      'origin.test:0',
      'origin.test:65536',
      'origin.test:80x',
      'user@origin.test:80',
      'http://origin.test:80',
      '/etc/passwd',
      ':80',
      '[::1:80',
      '*',
    ]) {
      it(`to ${authority}`, async () => {
        const { status } = await refusal(authority);
        assert.equal(status, '400');
      });
    }
  });

  it('cuts a tunnel whose origin turns out unreachable, without a word of HTTP', async () => {
    const [socket] = await tunnel('denied.test:80');
    socket.write(HELLO);
    const received = await new Promise<number>((resolve) => {
      let bytes = 0;
      socket.on('data', (chunk) => {
        bytes += chunk.length;
      });
      socket.on('error', () => undefined);
      socket.once('close', () => resolve(bytes));
    });
    assert.equal(received, 0);
    assert.equal(rig.plugin.refusals.count('E_ADDRESS_DENIED'), 1);
  });
});
