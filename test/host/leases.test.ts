/**
 * Leases with a real plugin process: a fresh hit needs no call, an end is in force before the next
 * delivery, and nothing is delivered from a file that was changed.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Listeners } from '@peerage/core/base/listeners.js';
import type { Lender, Loan } from '@peerage/core/ports/leases.js';
import type { ObjectsGone } from '@peerage/core/ports/ports.js';
import { cutPieces, PIECE_BYTES } from '@peerage/core/trust/pieces.js';
import type { ResourceRequest } from '@peerage/sdk';
import { contentOf } from '../fakes/content.js';
import { until } from '../lan/until.js';
import { pluginSource, useHost } from './rig.js';

const URL_TEXT = 'http://a.test/x';
const SMALL = contentOf('small', 1000);
const LARGE = contentOf('large', 2 * PIECE_BYTES + 77);
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest();

/** Opens a URL as often as it is told to, and says what it got. */
const SOURCE = pluginSource(
  ['CommandService', 'PluginContext', 'PeeringService'],
  `async activate() {
    const { createHash } = await import('node:crypto');
    await this.commandservice.onCommand('get', async ([text]) => {
      const got = await this.peeringservice.open(JSON.parse(text));
      const hash = createHash('sha256');
      for await (const chunk of got.body) hash.update(chunk);
      return { text: '', json: { source: got.source, sha256: hash.digest('hex') } };
    });
  }`,
);

/** Lends one object's file, and tells when it went. */
class TestLender implements Lender {
  readonly gone = new Listeners<ObjectsGone>();
  readonly uses: number[] = [];
  freshUntilMs = Number.MAX_SAFE_INTEGER;
  private readonly path: string;
  private readonly content: Buffer;
  isThere = true;
  /** Whether a process has said that it holds leases; before that every request is a call. */
  isHeld = false;

  constructor(path: string, content: Buffer) {
    this.path = path;
    this.content = content;
  }

  async lend({ url }: ResourceRequest): Promise<Loan | undefined> {
    if (!this.isThere) return undefined;
    const hashes: Buffer[] = [];
    const whole = (async function* (bytes: Buffer) {
      yield bytes;
    })(this.content);
    for await (const piece of cutPieces(whole)) hashes.push(sha256(piece));
    return {
      url,
      variant: '*',
      sha256: sha256(this.content).toString('hex'),
      status: 200,
      headers: [],
      sizeBytes: this.content.length,
      freshUntilMs: this.freshUntilMs,
      path: this.path,
      hashes: Buffer.concat(hashes),
      isCurrent: () => this.isThere,
      used: (times) => void this.uses.push(times),
    };
  }

  onObjectsGone(listener: (gone: ObjectsGone) => void) {
    this.isHeld = true;
    return this.gone.add(listener);
  }

  purge(): void {
    this.isThere = false;
    const copy = { variant: '*', sha256: sha256(this.content).toString('hex') };
    this.gone.tell({ reason: 'purged', copies: [{ url: URL_TEXT, ...copy }] });
  }
}

describe('a lease', () => {
  const host = useHost();
  let lender: TestLender;

  async function begin(content: Buffer): Promise<void> {
    const path = join(host().directory, 'object');
    await writeFile(path, content);
    lender = new TestLender(path, content);
    host().services = { lender };
    serve(content);
    const manifest = { commands: [{ name: 'get', description: 'gets it' }] };
    await host().start({ demo: { source: SOURCE, manifest } });
    await until('leases are held', 15_000, () => lender.isHeld || undefined);
  }

  function serve(content: Buffer): void {
    host().transfer.on(URL_TEXT, ({ startByte = 0, lengthBytes }) => {
      const end = lengthBytes === undefined ? content.length : startByte + lengthBytes;
      return {
        status: 200,
        headers: [],
        source: 'hit',
        sizeBytes: content.length,
        sha256: sha256(content).toString('hex'),
        body: (async function* () {
          yield content.subarray(startByte, end);
        })(),
      };
    });
  }

  /** What the plugin got; the SHA-256 of the bytes. */
  async function get(part: Partial<ResourceRequest> = {}): Promise<string> {
    const text = JSON.stringify({ url: URL_TEXT, ...part });
    const { json } = await host().hosting.run('demo', 'get', [text], true);
    return (json as { sha256: string }).sha256;
  }

  const hex = (bytes: Buffer) => sha256(bytes).toString('hex');
  const calls = () => host().transfer.opened.length;
  const links = () => readdir(join(host().directory, 'plugins', 'demo', 'in'));

  for (const [name, content] of Object.entries({ small: SMALL, large: LARGE })) {
    it(`answers a ${name} hit without a call, whole and in parts`, async () => {
      await begin(content);
      for (let round = 0; round < 3; round += 1) equal(await get(), hex(content));
      equal(await get({ startByte: 10, lengthBytes: 500 }), hex(content.subarray(10, 510)));
      equal(await get({ startByte: content.length - 5 }), hex(content.subarray(-5)));
      equal(await get({ startByte: content.length + 5 }), hex(Buffer.alloc(0)));
      equal(calls(), 1);
    });

    it(`of a ${name} object is over when a purge has returned`, async () => {
      await begin(content);
      await get();
      await get();
      equal(calls(), 1);
      equal((await links()).length, 1);
      lender.purge();
      serve(Buffer.from('newer'));
      await host().hosting.leasesEnded();
      equal(await get(), hex(Buffer.from('newer')));
      equal(calls(), 2);
      deepEqual(await links(), []);
    });
  }

  it('is for the same request only', async () => {
    await begin(SMALL);
    const requests = [
      {},
      { headers: { 'accept-language': 'de' } },
      { headers: { 'cache-control': 'no-cache' } },
      { policy: { immutable: true } },
    ];
    for (const request of requests) await get(request);
    for (const request of requests) await get(request);
    equal(calls(), requests.length);
  });

  it('ends when the answer is no longer fresh', async () => {
    await begin(SMALL);
    lender.freshUntilMs = Date.now() - 1;
    await get();
    await get();
    equal(calls(), 2);
  });

  it('delivers no byte of a file that was changed: the core delivers the rest', async () => {
    await begin(LARGE);
    await get();
    for (const at of [0, PIECE_BYTES + 1, LARGE.length - 1]) {
      const damaged = Buffer.from(LARGE);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await writeFile(join(host().directory, 'object'), damaged);
      equal(await get(), hex(LARGE), `${at}`);
      await writeFile(join(host().directory, 'object'), LARGE);
      equal(await get(), hex(LARGE));
    }
    ok(calls() > 1);
  });

  it('costs nothing but a call where the file cannot be linked or went', async () => {
    await begin(LARGE);
    await rm(join(host().directory, 'object'));
    equal(await get(), hex(LARGE));
    equal(await get(), hex(LARGE));
    equal(calls(), 2);
    deepEqual(await links(), []);
  });

  it('ends with the process that held it', async () => {
    await begin(LARGE);
    await get();
    await mkdir(join(host().directory, 'plugins', 'demo', 'in', 'left'));
    process.kill(host().status().pid ?? 0, 'SIGKILL');
    await host().hosting.leasesEnded();
    const runsAgain = () => {
      const { restarts, state } = host().status();
      return restarts === 1 && state === 'active' ? true : undefined;
    };
    await until('the plugin runs again', 15_000, runsAgain);
    equal(await get(), hex(LARGE));
    equal(calls(), 2);
    equal((await links()).length, 1);
  });
});
