/** The object server under friendly and hostile hands: members get objects, everybody else a 404. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import type { Entry } from '@peerage/core/transfer/catalogue.js';
import type { Giving } from '@peerage/core/transfer/serving.js';
import { createAuthority, type Identity, issueIdentity } from '@peerage/core/trust/authority.js';
import { HASH_BYTES } from '@peerage/core/trust/pieces.js';
import { collect, contentOf, flipped, keep, sha256Of } from '../fakes/content.js';
import { member } from '../fakes/members.js';
import { Holder } from '../fakes/peers.js';
import { useScratch } from '../fakes/scratch.js';

const MIB = 1024 * 1024;
const URL_A = 'https://origin.example/a';
const content = contentOf('serve', 3 * MIB + 5);

function credentials(identity: Identity | undefined): { key?: string | Buffer; cert?: string } {
  if (identity === undefined) return {};
  const key = identity.key.export({ type: 'pkcs8', format: 'pem' });
  return { key, cert: identity.certificate.toString() };
}

/** However it ends. */
function closed(stream: Readable): Promise<void> {
  return new Promise((resolve) => void stream.once('close', resolve));
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** A server with one object, for the suite. */
function useServer(options: { uploadsMax?: number; giving?: Giving } = {}) {
  const scratch = useScratch();
  const place: { holder: Holder; entry: Entry; directory: string } = {} as never;
  before(async () => {
    place.directory = scratch();
    place.holder = await Holder.start('server', '127.0.0.1', place.directory, options);
    place.entry = await place.holder.hold(URL_A, content);
  });
  after(() => place.holder.close());

  const send = (path: string, who: Identity | undefined, more: RequestOptions = {}) => {
    const { port } = place.holder;
    const where = { host: '127.0.0.1', port, path, servername: '' };
    const how = { rejectUnauthorized: false, agent: false, ...credentials(who), ...more };
    const outgoing = request({ ...where, ...how });
    // Those that wait for the answer learn of it; later it does not matter.
    outgoing.on('error', () => undefined);
    outgoing.on('response', (response) => response.on('error', () => undefined));
    return outgoing;
  };
  const open = async (path: string, who: Identity | undefined, more: RequestOptions = {}) => {
    const outgoing = send(path, who, more);
    outgoing.end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return response;
  };
  const ask = async (
    path: string,
    who: Identity | undefined,
    more: RequestOptions = {},
  ): Promise<Answer> => {
    const response = await open(path, who, more);
    return {
      status: response.statusCode,
      headers: response.headers,
      body: await collect(response),
    };
  };
  const connectAs = async (who: Identity | undefined): Promise<TLSSocket> => {
    const { port } = place.holder;
    const socket = connect({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      ...credentials(who),
    });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    return socket;
  };
  return { place, send, open, ask, connectAs };
}

const paths = ({ id, attestation: { sha256 } }: Entry) => [
  `/o/${sha256}`,
  `/p/${sha256}`,
  `/a/${id}`,
];

describe('the object server and who asks', () => {
  const { place, ask } = useServer();
  const impostor = issueIdentity(createAuthority('office', Date.now()), 'server', 30, Date.now());
  const strangers: Array<[string, Identity | undefined]> = [
    ['without a certificate', undefined],
    ['of another group', member('server', 'elsewhere')],
    ['of an authority of the same name', impostor],
  ];
  for (const [what, who] of strangers) {
    it(`tells a stranger ${what} nothing but its own certificate`, async () => {
      for (const path of paths(place.entry)) {
        const { status, body } = await ask(path, who);
        assert.deepEqual([status, body.length], [404, 0], path);
      }
      const { kid, certificate } = place.holder.identity;
      const own = await ask(`/c/${kid}`, who);
      assert.deepEqual([own.status, own.body], [200, certificate.raw]);
      assert.equal((await ask(`/c/${member('other').kid}`, who)).status, 404);
    });
  }

  it('gives a member the bytes, the piece hashes and the attestation', async () => {
    const [object = '', hashes = '', attestation = ''] = paths(place.entry);
    const who = member('asker');
    assert.ok((await ask(object, who)).body.equals(content));
    assert.equal((await ask(hashes, who)).body.length, 13 * HASH_BYTES);
    assert.equal(sha256Of((await ask(attestation, who)).body), place.entry.id);
    const head = await ask(object, who, { method: 'HEAD' });
    assert.deepEqual([head.status, head.body.length], [200, 0]);
    assert.equal(head.headers['content-length'], String(content.length));
  });

  it('gives nobody what may not be shared', async () => {
    const rules = { immutable: false, shareable: false };
    const secret = contentOf('secret', 100);
    const { store } = place.holder;
    const entry = await keep(store, 'https://origin.example/secret', secret, {}, rules);
    for (const path of paths(entry)) assert.equal((await ask(path, member('asker'))).status, 404);
  });

  it('speaks no older TLS, and no plain HTTP', async () => {
    const old = ask('/', member('asker'), { maxVersion: 'TLSv1.2' });
    await assert.rejects(old, { code: 'EPROTO' });
    const socket = connectPlain(place.holder.port, '127.0.0.1');
    socket.end('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    const answer = await collect(socket).catch(() => Buffer.alloc(0));
    assert.ok(!answer.includes('HTTP/'));
    assert.ok(place.holder.server.counters.get('handshake-failed') >= 2);
  });
});

describe('the object server and what is asked', () => {
  const { place, ask, connectAs } = useServer();

  it('finds nothing by a trick of the path', async () => {
    const { sha256 } = place.entry.attestation;
    const prefix = sha256.slice(0, 2);
    const tricks = [
      '/',
      '*',
      '/o/',
      `/o/${sha256}/`,
      `/o/${sha256}?`,
      `/o/${sha256}?a=b`,
      `/o/${sha256}#`,
      `/o/${sha256}.pieces`,
      `/o/${sha256.toUpperCase()}`,
      `/o/${sha256.slice(1)}`,
      `/o/${sha256}0`,
      `//o/${sha256}`,
      `/./o/${sha256}`,
      `/o/../o/${sha256}`,
      `/%6f/${sha256}`,
      `/o/%2e%2e/${sha256}`,
      `/o/..%2f..%2fsolo.pem`,
      '/o/../../../../etc/passwd',
      '/../../../../etc/passwd',
      '/%2e%2e/%2e%2e/etc/passwd',
      `/objects/${prefix}/${sha256}`,
      `/store/objects/${prefix}/${sha256}`,
      '/index.jsonl',
      `/o\\${sha256}`,
      `https://127.0.0.1/o/${sha256}`,
      `http://elsewhere.example/o/${sha256}`,
      `/o/${sha256}%00`,
      `/o/${sha256}\0`,
      `/o/${sha256}\t`,
      '/o/con',
      `/o/${'a'.repeat(7000)}`,
      `/o/__proto__`,
      `/x/${sha256}`,
      `/a/${sha256}`,
      `/c/${sha256}`,
      `/o/${place.holder.identity.kid}`,
    ];
    for (const path of tricks) {
      const socket = await connectAs(member('asker'));
      socket.end(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
      const answer = (await collect(socket).catch(() => Buffer.alloc(0))).toString('latin1');
      const refused = answer === '' || /^HTTP\/1\.1 40[04] [^\n]*\r\n/.test(answer);
      assert.ok(refused, `${path}: ${answer.slice(0, 100)}`);
      assert.ok(answer.length < 300, `${path} says too much`);
    }
  });

  it('takes nothing and changes nothing, whatever the method', async () => {
    const [object = ''] = paths(place.entry);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      assert.equal((await ask(object, member('asker'), { method })).status, 404, method);
    }
    assert.equal(place.holder.store.objects, 1);
  });

  const size = content.length;
  const ranges: Array<[range: string, status: number, start: number, end: number]> = [
    ['bytes=0-', 206, 0, size],
    ['bytes=0-0', 206, 0, 1],
    ['bytes=5-9', 206, 5, 10],
    ['bytes=262143-262144', 206, 262_143, 262_145],
    [`bytes=${size - 1}-`, 206, size - 1, size],
    [`bytes=1-${size + 1000}`, 206, 1, size],
    [`bytes=${size}-`, 416, 0, 0],
    ['bytes=9-5', 416, 0, 0],
    ['bytes=999999999999999-', 416, 0, 0],
    ['bytes=-5', 200, 0, size],
    ['bytes=0-1,5-6', 200, 0, size],
    ['bytes=a-b', 200, 0, size],
    ['bytes=1e3-', 200, 0, size],
    ['bytes=99999999999999999999-', 200, 0, size],
  ];
  for (const [range, status, start, end] of ranges) {
    it(`answers ${range} with ${status}`, async () => {
      const [object = ''] = paths(place.entry);
      const got = await ask(object, member('asker'), { headers: { range } });
      assert.equal(got.status, status);
      assert.ok(got.body.equals(content.subarray(start, end)));
      const expected = status === 206 ? `bytes ${start}-${end - 1}/${size}` : undefined;
      assert.equal(got.headers['content-range'], expected);
    });
  }
});

describe('the object server of a node that does not serve', () => {
  let on = false;
  const { place, ask } = useServer({ giving: { serving: () => on, atPace: (body) => body } });

  it('gives no bytes and names nobody, until it is switched on', async () => {
    const [object = ''] = paths(place.entry);
    const refused = await ask(object, member('asker'));
    assert.deepEqual([refused.status, refused.body.toString()], [503, '[]']);
    on = true;
    assert.equal((await ask(object, member('asker'))).status, 200);
  });
});

describe('the object server under load and attack', () => {
  const { place, ask, open, send, connectAs } = useServer({ uploadsMax: 2 });
  const large = contentOf('large', 24 * MIB);

  it('says 503 and when to come back when it is busy, and is free again afterwards', async () => {
    const { holder } = place;
    const [object = ''] = paths(await holder.hold('https://origin.example/large', large));
    const busy = await Promise.all([1, 2].map(() => open(object, member('asker'))));
    const refused = await ask(object, member('asker'));
    assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '1']);
    for (const response of busy) {
      const over = closed(response);
      response.destroy();
      await over;
    }
    let freed = await ask(object, member('asker'));
    while (freed.status === 503) freed = await ask(object, member('asker'));
    assert.ok(freed.body.equals(large));
  });

  it('drops connections that never finish their request, and serves others meanwhile', async () => {
    const beginnings = ['', 'GET', 'GET /c/', 'GET / HTTP/1.1\r\n', 'GET / HTTP/1.1\r\nx: '];
    const sockets = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const socket = await connectAs(i % 2 === 0 ? undefined : member(`asker-${i}`));
        socket.write(beginnings[i % beginnings.length] ?? '');
        return socket;
      }),
    );
    const { kid } = place.holder.identity;
    assert.equal((await ask(`/c/${kid}`, undefined)).status, 200);
    const silent = sockets.filter((_, i) => i % beginnings.length !== 0);
    const startedAt = performance.now();
    await Promise.all(silent.map((socket) => closed(socket.resume())));
    assert.ok(performance.now() - startedAt < 10_000, 'they were gone in time');
    for (const socket of sockets) socket.destroy();
  });

  it('reads neither a header of 10 MB nor a body without end', async () => {
    const socket = await connectAs(member('asker'));
    socket.write('GET / HTTP/1.1\r\nhost: a\r\nx: ');
    let sent = 0;
    const more = () => {
      while (!socket.destroyed && sent < 10 * MIB) {
        sent += 65_536;
        if (!socket.write('a'.repeat(65_536))) return void socket.once('drain', more);
      }
    };
    more();
    await closed(socket.resume());
    assert.ok(sent < 10 * MIB, `${sent} bytes of header were read`);
    const posting = send('/o/', undefined, { method: 'POST' });
    posting.write(large);
    const [response] = (await once(posting, 'response').catch(() => [])) as IncomingMessage[];
    assert.equal(response?.statusCode, 404);
    posting.destroy();
  });

  it('survives garbage, and connections that end in the middle of everything', async () => {
    for (const garbage of ['\0\0\0', '\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', 'é'.repeat(999)]) {
      const socket = await connectAs(member('asker'));
      socket.end(garbage);
      await closed(socket.resume());
    }
    const [object = ''] = paths(place.entry);
    for (let i = 0; i < 10; i += 1) (await open(object, member('asker'))).destroy();
    while ((await ask(object, member('asker'))).status !== 200);
  });

  it('never ends the body of a damaged object, and does not have it any more then', async () => {
    const { holder, directory } = place;
    const spoilt = contentOf('spoilt', 2 * MIB);
    const entry = await holder.hold('https://origin.example/spoilt', spoilt);
    const { sha256 } = entry.attestation;
    const file = join(directory, 'objects', sha256.slice(0, 2), sha256);
    await writeFile(file, flipped(spoilt, MIB + 7));
    const response = await open(`/o/${sha256}`, member('asker'));
    let got = 0;
    const reading = (async () => {
      for await (const chunk of response as AsyncIterable<Buffer>) got += chunk.length;
    })();
    await assert.rejects(reading, { code: 'ECONNRESET' });
    assert.ok(got <= MIB);
    assert.equal((await ask(`/o/${sha256}`, member('asker'))).status, 404);
  });

  it('listens once on each address, and says when a port is taken', async () => {
    const { holder } = place;
    await holder.server.listen(holder.address, holder.port);
    const other = await Holder.start('other', '127.0.0.1', `${place.directory}-other`);
    const taken = other.server.listen(holder.address, holder.port);
    await assert.rejects(taken, { code: 'E_PORT_TAKEN' });
    await other.close();
  });
});
