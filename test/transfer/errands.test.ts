/** Errands for nodes without Internet (PROTOCOL §5.5): the provider's desk, and who goes there. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counters } from '@peerage/core/base/bounded.js';
import { ERRAND_HEADER } from '@peerage/core/ports/errands.js';
import type { OwnContent } from '@peerage/core/ports/plugins.js';
import type { ContentTransfer } from '@peerage/core/ports/ports.js';
import { ErrandDesk, readErrand } from '@peerage/core/transfer/errand-desk.js';
import { Errands } from '@peerage/core/transfer/errands.js';

const DECLARED = 'https://origin.example/declared';
const PROVIDER = { kid: 'k', name: 'provider', address: '127.0.0.1', port: 1 };
const encode = (errand: unknown) => Buffer.from(JSON.stringify(errand)).toString('base64url');
const errand = (more: object = {}) =>
  encode({ service: 'feed', url: DECLARED, method: 'POST', headers: {}, policy: {}, ...more });

describe('the errand desk of a provider', () => {
  const counters = new Counters();
  const sent: string[] = [];
  let internet = true;
  let server: Server;

  before(async () => {
    const own: Pick<OwnContent, 'upload'> = {
      upload: async ({ url, method, body }, service) => {
        sent.push(`${service} ${method} ${url} ${Buffer.from(body).toString()}`);
        return { status: 201, headers: [['x-made', 'yes']], body: Buffer.from('made') };
      },
    };
    const rules = {
      allows: (service: string, url: string, kind: string) =>
        service === 'feed' && url === DECLARED && kind === 'uploads',
    };
    server = createServer((incoming, response) => {
      const transfer = undefined as unknown as ContentTransfer;
      const flightPath = () => '/f/';
      const desk = new ErrandDesk({ transfer, own, rules, internet, flightPath });
      void desk.answer(incoming, response, counters);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(() => new Promise((resolve) => server.close(resolve)));

  function post(head: string | undefined, body = 'x', method = 'POST'): Promise<number> {
    const { port } = server.address() as AddressInfo;
    const headers = head === undefined ? {} : { [ERRAND_HEADER]: head };
    return new Promise((resolve, reject) => {
      const done = (response: IncomingMessage) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      };
      const outgoing = request({ port, method, headers, agent: false }, done);
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }

  it('sends what its own plugin of that name declares', async () => {
    assert.equal(await post(errand(), 'body'), 200);
    assert.deepEqual(sent, [`feed POST ${DECLARED} body`]);
  });

  const refused: Array<[why: string, head: string | undefined, counter: string]> = [
    ['another address', errand({ url: `${DECLARED}/more` }), 'undeclared'],
    ['another plugin', errand({ service: 'other' }), 'undeclared'],
    ['a download that is not declared', errand({ method: 'GET' }), 'undeclared'],
    ['no head', undefined, 'malformed'],
    ['a head that is no JSON', 'AAAA', 'malformed'],
    ['a head of nothing', encode(null), 'malformed'],
    ['a file', errand({ url: 'file:///etc/passwd' }), 'malformed'],
    ['another method', errand({ method: 'DELETE' }), 'malformed'],
    ['headers that are no texts', errand({ headers: { a: 1 } }), 'malformed'],
  ];
  for (const [why, head, counter] of refused) {
    it(`answers 404 to ${why}, and counts it`, async () => {
      const name = `errand-refused-${counter}`;
      const before = counters.get(name);
      const many = sent.length;
      assert.equal(await post(head), 404);
      assert.equal(counters.get(name), before + 1);
      assert.equal(sent.length, many);
    });
  }

  it('does nothing for others where it may not use the Internet itself', async () => {
    internet = false;
    assert.equal(await post(errand()), 404);
    internet = true;
    assert.equal(counters.get('errand-refused-no-internet'), 1);
  });

  it('reads a head of 6000 characters at most', () => {
    assert.equal(readErrand(errand({ url: `${DECLARED}/${'x'.repeat(6000)}` })), undefined);
    assert.equal(readErrand(errand())?.service, 'feed');
  });
});

const ASK = { service: 'feed', url: DECLARED, headers: {}, policy: {} } as Parameters<
  Errands['fetch']
>[0];
const flight = `/f/${'a'.repeat(64)}`;
const answering =
  (status: number, body: object = {}) =>
  async () => ({
    status,
    body: Buffer.from(JSON.stringify(body)),
  });

describe('a node without Internet', () => {
  it('follows the download that the provider begins', async () => {
    const peers = { errand: answering(200, { flight }) };
    const errands = new Errands({ peers, provider: () => PROVIDER });
    const taken: unknown[] = [];
    const took = await errands.fetch(ASK, async (source) => {
      taken.push(source);
      return 'ok';
    });
    assert.equal(took, true);
    assert.deepEqual(taken, [{ kind: 'flight', ...PROVIDER, flight }]);
  });

  it('goes to the next provider when one dies, and takes on from there', async () => {
    const providers = ['first', 'second'];
    const provider = () => ({ ...PROVIDER, name: providers[0] ?? '' });
    const errands = new Errands({ peers: { errand: answering(200, { flight }) }, provider });
    const asked: string[] = [];
    const took = await errands.fetch(ASK, async ({ kind, ...source }) => {
      assert.equal(kind, 'flight');
      asked.push('name' in source ? source.name : '');
      return providers.shift() === 'first' ? 'failed' : 'ok';
    });
    assert.deepEqual([took, asked], [true, ['first', 'second']]);
  });

  it('takes a refusal for an answer, and gives up where nobody provides', async () => {
    const take = async () => assert.fail('nothing to take');
    const refusing = new Errands({ peers: { errand: answering(404) }, provider: () => PROVIDER });
    assert.equal(await refusing.fetch(ASK, take), false);
    const alone = new Errands({ peers: { errand: answering(404) }, provider: () => undefined });
    const upload = { url: DECLARED, method: 'POST', body: new Uint8Array() } as const;
    await assert.rejects(alone.upload('feed', upload), { code: 'E_NO_INTERNET' });
    await assert.rejects(refusing.upload('feed', upload), { code: 'E_NO_INTERNET' });
  });

  it('gets the answer of the origin to its upload', async () => {
    const body = {
      status: 201,
      headers: [['a', 'b']],
      body: Buffer.from('made').toString('base64'),
    };
    const errands = new Errands({
      peers: { errand: answering(200, body) },
      provider: () => PROVIDER,
    });
    const answer = await errands.upload('feed', {
      url: DECLARED,
      method: 'POST',
      body: new Uint8Array(),
    });
    assert.deepEqual([answer.status, Buffer.from(answer.body).toString()], [201, 'made']);
  });
});
