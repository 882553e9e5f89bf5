/** The proxy's port: what passes in either direction, loops, own pages, and forwarded methods. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { CodedError } from '@peerage/sdk';
import { OwnAddresses } from '@peerage/url-cache/own-addresses.js';
import UrlCachePlugin from '@peerage/url-cache/plugin.js';
import { FakePeering } from './fake-peering.js';
import { ask, open, Rig, response, TestContext } from './rig.js';

const run = promisify(execFile);
const URL_TEXT = 'http://origin.test/page';

describe('url-cache: the proxy', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start();
    rig.peering.put(URL_TEXT, { body: 'content' });
  });
  afterEach(() => rig.stop());

  const via = async () => String((await rig.get(URL_TEXT)).headers.via);

  describe('headers', () => {
    it('removes hop-by-hop headers and those that Connection lists', async () => {
      await rig.raw(
        `GET ${URL_TEXT} HTTP/1.1\r\nHost: liar.test\r\nConnection: close, X-Mine\r\n` +
          'X-Mine: 1\r\nX-Other: 2\r\nProxy-Connection: keep-alive\r\nKeep-Alive: 5\r\n' +
          'TE: trailers\r\nUpgrade: h2c\r\nProxy-Authorization: Basic eDp5\r\n\r\n',
      );
      const { headers, url } = rig.peering.last;
      assert.deepEqual(Object.keys(headers ?? {}).sort(), ['via', 'x-other']);
      assert.equal(url, URL_TEXT, 'the Host header must not count');
    });

    it('removes them from answers too', async () => {
      const headers = {
        connection: 'x-mine',
        'x-mine': '1',
        'proxy-authenticate': 'Basic',
        ok: '1',
      };
      rig.peering.put(URL_TEXT, { body: '', headers });
      const answer = await rig.get(URL_TEXT);
      assert.equal(answer.headers['x-mine'], undefined);
      assert.equal(answer.headers['proxy-authenticate'], undefined);
      assert.equal(answer.headers['ok'], '1');
    });

    it('adds Via in both directions, after what is there', async () => {
      rig.peering.put(URL_TEXT, { body: '', headers: { via: '1.1 edge' } });
      const answer = await rig.get(URL_TEXT, { via: '1.0 before' });
      assert.match(String(rig.peering.last.headers?.['via']), /^1\.0 before, 1\.1 peerage-\w+$/);
      assert.match(String(answer.headers.via), /^1\.1 edge, 1\.1 peerage-\w+$/);
    });

    it('marks requests with credentials as unshared and passes the credentials', async () => {
      await rig.get(URL_TEXT, { authorization: 'Bearer x' });
      assert.deepEqual(rig.peering.last.policy, { unshared: true });
      assert.equal(rig.peering.last.headers?.['authorization'], 'Bearer x');
    });
  });

  describe('loops', () => {
    const isLoop = async (answer: { status: number; headers: IncomingMessage['headers'] }) => {
      assert.equal(answer.status, 508);
      assert.equal(answer.headers['peerage-error'], 'E_LOOP');
      assert.equal(rig.peering.requests.length <= 1, true);
    };

    it('refuses a request that it has seen before', async () => {
      await isLoop(await rig.get(URL_TEXT, { via: `1.1 a, ${await via()}` }));
    });

    it('takes another Peerage in the trail for no loop', async () => {
      const answer = await rig.get(URL_TEXT, { via: '1.1 peerage-000000000000' });
      assert.equal(answer.status, 200);
    });

    it('refuses requests for its own address, by any of its names', async () => {
      for (const host of ['127.0.0.1', 'localhost', '2130706433', '0.0.0.0', 'a.localhost']) {
        await isLoop(await rig.get(`http://${host}:${rig.port()}/proxy.pac`));
      }
    });

    it('refuses to forward to a name that leads to itself', async () => {
      rig.peering.lead('circle.test:80', rig.port());
      await isLoop(await rig.get('http://circle.test/', {}, 'POST'));
    });

    it('knows all addresses of a wildcard listener', () => {
      const own = new OwnAddresses();
      own.add('0.0.0.0', 80);
      const local = Object.values(networkInterfaces()).flat()[0]?.address ?? '127.0.0.1';
      assert.equal(own.includes(local, 80), true);
      assert.equal(own.includes('127.9.9.9', 80), true);
      assert.equal(own.includesUrl(new URL('http://[::1]/')), true);
      assert.equal(own.includesUrl(new URL('https://localhost/')), false);
      assert.equal(own.includes('192.0.2.1', 80), false);
    });
  });

  describe('own pages', () => {
    it('serves a PAC file that works and goes on without us', async () => {
      const answer = await ask(rig.port(), '/proxy.pac');
      assert.equal(answer.headers['content-type'], 'application/x-ns-proxy-autoconfig');
      const find = new Function('isPlainHostName', `${answer.body}; return FindProxyForURL;`)(
        (host: string) => !host.includes('.'),
      );
      assert.equal(find('http://a.test/', 'a.test'), `PROXY 127.0.0.1:${rig.port()}; DIRECT`);
      assert.equal(find('https://a.test/', 'a.test'), 'DIRECT');
      assert.equal(find('http://printer/', 'printer'), 'DIRECT');
    });

    it('serves the script for apt with its own address', async () => {
      const { body } = await ask(rig.port(), '/apt-proxy-detect');
      assert.match(body, /^#!\/bin\/sh\n/);
      assert.equal(body.includes(`127.0.0.1:${rig.port()}`), true);
    });

    it('says what it is at /', async () => {
      const { body } = await ask(rig.port(), '/');
      for (const word of ['curl', 'apt', 'npm', String(rig.port())]) {
        assert.equal(body.includes(word), true, word);
      }
    });

    it('has nothing else, and takes nothing', async () => {
      for (const path of ['/etc/passwd', '/../clients', '/proxy.pac?x', '//', '/%00']) {
        const answer = await ask(rig.port(), path);
        assert.equal(answer.status, 404, path);
        assert.equal(answer.headers['peerage-error'], 'E_NOT_FOUND');
      }
      assert.equal((await ask(rig.port(), '/', { method: 'POST', body: 'x' })).status, 404);
    });
  });

  it('serves curl, whole and in part', async function () {
    const curl = ['--silent', '--show-error', '--max-time', '5', '--proxy'];
    curl.push(`http://127.0.0.1:${rig.port()}`);
    try {
      await run('curl', ['--version']);
    } catch {
      this.skip();
    }
    assert.equal((await run('curl', [...curl, URL_TEXT])).stdout, 'content');
    const part = await run('curl', [...curl, '--range', '3-', '--include', URL_TEXT]);
    assert.match(part.stdout, /^HTTP\/1\.1 206 /);
    assert.match(part.stdout, /\r\n\r\ntent$/);
    const tunnelled = await run('curl', [...curl, '--proxytunnel', URL_TEXT]);
    assert.equal(tunnelled.stdout, 'content');
    rig.peering.put(URL_TEXT, { body: 'content', failsAfterBytes: 3 });
    await assert.rejects(run('curl', [...curl, URL_TEXT]));
  });
});

describe('url-cache: starting and stopping', () => {
  it('says which port is taken and what to do', async () => {
    const rig = await Rig.start();
    const listen = { address: '127.0.0.1', port: rig.port() };
    const second = new UrlCachePlugin(new FakePeering(), new TestContext({ listen }));
    try {
      await assert.rejects(
        async () => second.activate(),
        (error: CodedError) => {
          assert.equal(error.code, 'E_PORT_TAKEN');
          assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${rig.port()}`));
          assert.match(String(error.action), /another port/);
          return true;
        },
      );
    } finally {
      await rig.stop();
    }
  });

  it('names an address that is not of this machine', async () => {
    const listen = { address: '192.0.2.1', port: 0 };
    const plugin = new UrlCachePlugin(new FakePeering(), new TestContext({ listen }));
    await assert.rejects(async () => plugin.activate(), { code: 'E_LISTEN_FAILED' });
  });

  it('lets a running download end when it stops, and then is gone', async () => {
    const rig = await Rig.start();
    rig.peering.put(URL_TEXT, { body: 'x'.repeat(1_000_000), chunkBytes: 10_000 });
    const sent = open(rig.port(), URL_TEXT);
    sent.end();
    const answer = await response(sent);
    const stopped = rig.stop();
    assert.equal((await text(answer)).length, 1_000_000);
    await stopped;
    await assert.rejects(ask(rig.port(), '/'), { code: 'ECONNREFUSED' });
  });

  it('answers a connection that it took just before, whose request comes as it stops', async () => {
    const rig = await Rig.start();
    rig.peering.put(URL_TEXT, { body: 'content' });
    const socket = connect(rig.port(), '127.0.0.1');
    // That one is taken after this one.
    await rig.get(URL_TEXT);
    const stopped = rig.stop();
    socket.write(`GET ${URL_TEXT} HTTP/1.1\r\nHost: origin.test\r\n\r\n`);
    assert.match(await text(socket), /^HTTP\/1\.1 200 .*content$/s);
    await stopped;
  });

  it('does not wait for a connection that asks for nothing', async () => {
    const rig = await Rig.start();
    const socket = connect(rig.port(), '127.0.0.1');
    await rig.get(URL_TEXT);
    const stopped = rig.stop();
    await text(socket);
    await stopped;
  });
});
