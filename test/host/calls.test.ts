/** What a plugin asks of the core: judged there, carried out, and answered with bytes or a code. */
import assert from 'node:assert/strict';
import type { ResourceRequest } from '@peerage/sdk';
import { CodedError } from '@peerage/sdk';
import { contentOf, sha256Of } from '../fakes/content.js';
import { pluginSource, useHost } from './rig.js';

const SERVICES = ['PeeringService', 'PluginContext'];
const URL_A = 'https://a.example/x';

/** A plugin that runs this script when it is activated; `say` logs under `said`. */
function script(text: string): string {
  const tools = `
    const { createHash } = process.getBuiltinModule('node:crypto');
    const codeOf = async (work) => { try { await work(); return 'none'; } catch (e) { return e.code; } };
    const read = async (body) => {
      const hash = createHash('sha256'); let size = 0;
      for await (const chunk of body) { hash.update(chunk); size += chunk.length; }
      return { size, sha256: hash.digest('hex') };
    };`;
  const body = `async activate() {
    const peering = this.peeringservice;
    const say = (fields) => this.plugincontext.log.info('said', fields);
    ${text}
  }`;
  return pluginSource(SERVICES, body, tools);
}

describe('a plugin’s request', function () {
  this.timeout(60_000);
  const rig = useHost();
  const run = async (text: string, urls = ['https://a.example/*']) => {
    await rig().start({ demo: { source: script(text), urls } });
    return rig().said('said');
  };

  it('brings the head, and the bytes whether they are few or many', async () => {
    const cases = [0, 10, 32 * 1024, 32 * 1024 + 1, 3_000_000].map((size) => contentOf('x', size));
    for (const [i, content] of cases.entries()) rig().transfer.serve(`${URL_A}${i}`, content);
    rig().transfer.serve(`${URL_A}5`, contentOf('x', 10), 'origin');
    const said = await run(`
      const got = [];
      for (let i = 0; i < 6; i += 1) {
        const { status, headers, source, sizeBytes, body } = await peering.open({ url: '${URL_A}' + i });
        got.push({ status, headers, source, sizeBytes, ...(await read(body)) });
      }
      say({ got });`);
    const expected = [...cases, contentOf('x', 10)].map((content, i) => ({
      status: 200,
      headers: [['etag', '"a"']],
      source: i === 5 ? 'origin' : 'hit',
      sizeBytes: content.length,
      size: content.length,
      sha256: sha256Of(content),
    }));
    assert.deepEqual(said['got'], expected);
    assert.equal(rig().status().counters['requests-hit'], 5);
  });

  it('reaches the core as it was meant: method, headers, policy, part', async () => {
    rig().transfer.serve(URL_A, contentOf('x', 10));
    const request = {
      url: URL_A,
      method: 'HEAD',
      headers: { accept: 'x' },
      policy: { immutable: true, digest: { algorithm: 'sha512', hex: 'ab' } },
      startByte: 5,
      lengthBytes: 7,
    };
    await run(
      `const { body } = await peering.open(${JSON.stringify(request)}); await read(body); say({});`,
    );
    const [opened] = rig().transfer.opened;
    const { signal, ...plain } = opened?.request ?? ({} as ResourceRequest);
    assert.deepEqual(plain, request);
    assert.equal(signal?.aborted, false);
    assert.equal(opened?.service, 'demo');
  });

  it('is refused outside its grant, however the URL is written', async () => {
    const urls = [
      'https://evil.example/x',
      'https://a.example.evil.example/x',
      'https://evil.example/#https://a.example/x',
      'https://a.example@evil.example/x',
      'http://a.example/x',
      'https://a.example:444/x',
      'nonsense',
      '',
    ];
    rig().transfer.serve('HTTPS://A.example/X/../x', contentOf('x', 10));
    const said = await run(`
      const codes = [];
      for (const url of ${JSON.stringify(urls)}) codes.push(await codeOf(() => peering.open({ url })));
      const allowed = await codeOf(async () => read((await peering.open({ url: 'HTTPS://A.example/X/../x' })).body));
      say({ codes, allowed });`);
    assert.deepEqual(
      said['codes'],
      urls.map(() => 'E_URL_NOT_GRANTED'),
    );
    assert.equal(said['allowed'], 'none');
    assert.equal(rig().transfer.opened.length, 1);
    assert.equal(rig().status().counters['denied-urls'], urls.length);
  });

  it('is not let through by what stands behind a number sign', async () => {
    const said = await run(
      "say({ code: await codeOf(() => peering.open({ url: 'https://evil.example/x#.deb' })) });",
      ['https://*.deb'],
    );
    assert.equal(said['code'], 'E_URL_NOT_GRANTED');
  });

  it('is refused where it is no request', async () => {
    const said = await run(`
      const codes = [];
      for (const wrong of [undefined, null, 5, 'x', {}, { url: 5 }, { url: ['${URL_A}'] }]) {
        codes.push(await codeOf(() => peering.open({ ...Object(wrong) })));
      }
      say({ codes });`);
    assert.deepEqual(said['codes'], Array(7).fill('E_CALL_UNKNOWN'));
  });

  it('is known by the best fitting plugin’s name, whoever asks', async () => {
    rig().transfer.serve(URL_A, contentOf('x', 10));
    const idle = pluginSource([], 'activate() {}');
    const asking = `await read((await peering.open({ url: '${URL_A}' })).body); say({});`;
    await rig().start({
      best: { source: idle, urls: ['https://a.example/*'] },
      demo: { source: script(asking), urls: ['*'] },
      narrowed: { source: idle, urls: ['https://a.example/x'], entry: { grant: { urls: [] } } },
    });
    await rig().said('said');
    assert.equal(rig().transfer.opened[0]?.service, 'best');
  });

  it('is its own where no other plugin’s patterns fit better', async () => {
    rig().transfer.serve(URL_A, contentOf('x', 10));
    const idle = pluginSource([], 'activate() {}');
    const asking = `await read((await peering.open({ url: '${URL_A}' })).body); say({});`;
    await rig().start({
      before: { source: idle, urls: ['https://*'] },
      demo: { source: script(asking), urls: ['https://*'] },
      later: { source: idle, urls: ['https://*'] },
    });
    await rig().said('said');
    assert.equal(rig().transfer.opened[0]?.service, 'demo');
  });
});

describe('a plugin’s request that fails', function () {
  this.timeout(60_000);
  const rig = useHost();
  const run = async (text: string) => {
    await rig().start({ demo: { source: script(text), urls: ['https://a.example/*'] } });
    return rig().said('said');
  };

  it('brings the code, what was expected and what to do', async () => {
    rig().transfer.on(URL_A, () => {
      throw new CodedError('E_ADDRESS_DENIED', 'no', { expected: 'this', action: 'that' });
    });
    const said = await run(`
      try { await peering.open({ url: '${URL_A}' }); }
      catch ({ code, message, expected, action }) { say({ code, message, expected, action }); }`);
    const { plugin: _, ...error } = said as Record<string, unknown>;
    const expected = { code: 'E_ADDRESS_DENIED', message: 'no', expected: 'this', action: 'that' };
    assert.deepEqual(error, expected);
  });

  it('in the middle of its body brings the bytes before, and the code', async () => {
    const content = contentOf('x', 500_000);
    rig().transfer.on(URL_A, () => ({
      status: 200,
      headers: [],
      source: 'origin',
      sizeBytes: content.length * 2,
      sha256: undefined,
      body: (async function* () {
        yield content;
        throw new CodedError('E_DIGEST_MISMATCH', 'wrong bytes');
      })(),
    }));
    const said = await run(`
      const { body } = await peering.open({ url: '${URL_A}' });
      let size = 0;
      try { for await (const chunk of body) size += chunk.length; say({ size, code: 'none' }); }
      catch ({ code }) { say({ size, code }); }`);
    assert.deepEqual([said['size'], said['code']], [500_000, 'E_DIGEST_MISMATCH']);
  });

  it('is given up in the core when the plugin gives it up', async () => {
    let aborted: () => void = () => undefined;
    const given = new Promise<void>((resolve) => {
      aborted = resolve;
    });
    rig().transfer.on(URL_A, ({ signal }) => {
      return new Promise((_, reject) => {
        signal?.addEventListener('abort', () => {
          aborted();
          reject(new CodedError('E_CANCELLED', 'cancelled'));
        });
      });
    });
    const said = await run(`
      const controller = new AbortController();
      const opening = codeOf(() => peering.open({ url: '${URL_A}', signal: controller.signal }));
      controller.abort();
      say({ code: await opening });`);
    await given;
    assert.equal(said['code'], 'E_CANCELLED');
  });

  it('is given up in the core when the plugin’s process ends', async () => {
    const given = new Promise<void>((resolve) => {
      rig().transfer.on(URL_A, ({ signal }) => {
        return new Promise(() => signal?.addEventListener('abort', () => resolve()));
      });
    });
    await run(
      `void peering.open({ url: '${URL_A}' }); say({}); setImmediate(() => process.abort());`,
    );
    await given;
  });

  it('is refused where a thousand are in work already', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    rig().transfer.on(URL_A, async () => {
      await gate;
      throw new CodedError('E_ORIGIN_UNREACHABLE', 'no');
    });
    await rig().start({
      demo: {
        source: script(`
          const all = Array.from({ length: 1500 }, () => codeOf(() => peering.open({ url: '${URL_A}' })));
          const refused = await Promise.race(all);
          say({ refused });
          Promise.all(all).then((codes) => say({ busy: codes.filter((c) => c === 'E_BUSY').length }));`),
        urls: ['*'],
      },
    });
    assert.equal((await rig().said('said'))['refused'], 'E_BUSY');
    release();
    assert.equal((await rig().said('said', 2))['busy'], 1500 - 1024);
  });
});

describe('a plugin’s other calls', function () {
  this.timeout(60_000);
  const rig = useHost();

  it('say where an origin is, if it may know', async () => {
    const source = script(`
      const route = await peering.route('a.example', 443);
      const codes = [];
      for (const [host, port] of [['b.example', 443], ['a.example', 80], ['a.example', '443'], [5, 5], ['denied.example', 443]]) {
        codes.push(await codeOf(() => peering.route(host, port)));
      }
      say({ route, codes });`);
    const urls = ['https://a.example/*', 'https://denied.example/*'];
    await rig().start({ demo: { source, urls } });
    const { route, codes } = await rig().said('said');
    assert.deepEqual(route, { addresses: ['192.0.2.7'], port: 443 });
    assert.deepEqual(codes, [
      'E_URL_NOT_GRANTED',
      'E_URL_NOT_GRANTED',
      'E_CALL_UNKNOWN',
      'E_CALL_UNKNOWN',
      'E_ADDRESS_DENIED',
    ]);
  });

  it('are refused where the core has no such call', async () => {
    const source = script(`
      process.on('message', (message) => {
        if (message.type === 'reply' && message.id >= 9000) say({ code: message.error.code });
      });
      for (const [i, method] of ['core.stop', 'constructor', '__proto__', ''].entries()) {
        process.send({ type: 'call', id: 9000 + i, method, argument: {} });
      }`);
    await rig().start({ demo: { source } });
    const lines = (await rig().said('said', 4)) && rig().logger.all('said');
    assert.deepEqual(
      lines.map(({ fields }) => fields['code']),
      Array(4).fill('E_CALL_UNKNOWN'),
    );
  });
});
