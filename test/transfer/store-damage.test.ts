/** The store after kills, full disks, worn disks and meddling: it opens, and never lies. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SeededRandom } from '@peerage/core/base/random.js';
import type { Entry } from '@peerage/core/transfer/catalogue.js';
import { ObjectStore } from '@peerage/core/transfer/store.js';
import { PIECE_BYTES } from '@peerage/core/trust/pieces.js';
import { collect, collectBroken, contentOf, flipped, keep, readEntry } from '../fakes/content.js';
import { RecordingLogger } from '../fakes/log.js';
import { useScratch } from '../fakes/scratch.js';

const SEED = 20_260_722;
const urlOf = (i: number) => `https://origin.example/${i}`;
const indexOf = (directory: string) => join(directory, 'index.jsonl');

function openStore(directory: string, logger = new RecordingLogger()): Promise<ObjectStore> {
  return ObjectStore.open({ directory, quotaBytes: 1e9, logger });
}

/** A store of `count` objects that was not closed. */
async function filledStore(directory: string, count: number): Promise<ObjectStore> {
  const store = await openStore(directory);
  for (let i = 0; i < count; i += 1) await keep(store, urlOf(i), contentOf(urlOf(i), 100 + i));
  return store;
}

async function holds(directory: string, count: number, what: string): Promise<void> {
  const store = await openStore(directory);
  for (let i = 0; i < count; i += 1) {
    const entry = store.find(urlOf(i), '*');
    assert.ok(entry !== undefined, `${urlOf(i)} was lost: ${what}`);
    assert.deepEqual(await readEntry(store, entry), contentOf(urlOf(i), 100 + i), what);
    assert.equal(entry.signer, 'fetcher', what);
  }
}

function pathOf(directory: string, entry: Entry, ending = ''): string {
  const { sha256 } = entry.attestation;
  return join(directory, 'objects', sha256.slice(0, 2), sha256 + ending);
}

describe('the store with a damaged journal', () => {
  const scratch = useScratch();

  it('loses nothing, wherever in its last line the journal was torn', async function () {
    this.timeout(120_000);
    const lanes = Array.from({ length: 8 }, (_, lane) => lane);
    const tear = async (lane: number) => {
      const directory = scratch();
      await filledStore(directory, 2);
      const whole = await readFile(indexOf(directory));
      const lastLine = whole.lastIndexOf('\n', whole.length - 2) + 1;
      for (let cut = lastLine + lane; cut < whole.length; cut += lanes.length) {
        await writeFile(indexOf(directory), whole.subarray(0, cut));
        await holds(directory, 2, `torn at byte ${cut} of ${whole.length}`);
      }
    };
    await Promise.all(lanes.map(tear));
  });

  it('loses nothing when it is cut at a random place, emptied, deleted or garbage', async () => {
    const directory = scratch();
    await filledStore(directory, 4);
    const whole = await readFile(indexOf(directory));
    const random = new SeededRandom(SEED);
    for (let round = 0; round < 25; round += 1) {
      const cut = Math.floor(random.fraction() * whole.length);
      await writeFile(indexOf(directory), whole.subarray(0, cut));
      await holds(directory, 4, `cut at ${cut}, seed ${SEED}`);
      const at = Math.floor(random.fraction() * whole.length);
      await writeFile(indexOf(directory), flipped(whole, at));
      await holds(directory, 4, `flipped at ${at}, seed ${SEED}`);
    }
    const garbage = contentOf('garbage', 10_000);
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(4096), garbage, Buffer.from('{}\n[]\n')]) {
      await writeFile(indexOf(directory), bytes);
      await holds(directory, 4, `garbage of ${bytes.length} bytes`);
    }
    await rm(indexOf(directory));
    await holds(directory, 4, 'deleted');
  });

  it('says that it was rebuilt, and shares nothing that it does not know may be shared', async () => {
    const directory = scratch();
    const before = await openStore(directory);
    await keep(before, urlOf(0), contentOf('tls', 10));
    await keep(before, urlOf(1), contentOf('clear', 10), { tls: false });
    await rm(indexOf(directory));
    const logger = new RecordingLogger();
    const after = await openStore(directory, logger);
    assert.deepEqual(logger.all('store-index-rebuilt')[0]?.fields, { entries: 2 });
    assert.equal(after.find(urlOf(0), '*')?.shareable, true);
    assert.equal(after.find(urlOf(1), '*')?.shareable, false);
    assert.equal(after.find(urlOf(1), '*')?.immutable, false);
  });

  it('takes the newest of several attestations of one URL that a kill left', async () => {
    const directory = scratch();
    const store = await openStore(directory);
    const old = await keep(store, urlOf(0), contentOf('old', 10), { fetchedAt: 1000 });
    const oldFile = join(directory, 'attestations', old.id.slice(0, 2), old.id);
    const oldBytes = await readFile(oldFile);
    const oldObject = await readFile(pathOf(directory, old));
    await keep(store, urlOf(0), contentOf('new', 10), { fetchedAt: 2000 });
    await writeFile(oldFile, oldBytes);
    await writeFile(pathOf(directory, old), oldObject);
    await writeFile(indexOf(directory), '');
    const after = await openStore(directory);
    assert.equal(after.find(urlOf(0), '*')?.attestation.fetchedAt, 2000);
  });

  it('sweeps what a kill in the middle of a commit left, and leaves strangers’ files alone', async () => {
    const directory = scratch();
    await filledStore(directory, 1);
    const name = 'ab'.repeat(32);
    await mkdir(join(directory, 'objects', 'ab'), { recursive: true });
    await writeFile(join(directory, 'objects', 'ab', name), 'x');
    await writeFile(join(directory, 'objects', 'ab', `${'ab00'.repeat(16)}.pieces`), 'x');
    await mkdir(join(directory, 'attestations', 'ab'), { recursive: true });
    await writeFile(join(directory, 'attestations', 'ab', name), 'x');
    await writeFile(join(directory, 'incoming', 'half'), 'x');
    await writeFile(join(directory, 'objects', 'notes.txt'), 'x');
    await holds(directory, 1, 'with remains');
    for (const path of [`objects/ab/${name}`, `attestations/ab/${name}`, 'incoming/half']) {
      await assert.rejects(readFile(join(directory, path)), { code: 'ENOENT' }, path);
    }
    const stray = join(directory, 'objects', 'ab', `${'ab00'.repeat(16)}.pieces`);
    await assert.rejects(readFile(stray), { code: 'ENOENT' });
    assert.equal(await readFile(join(directory, 'objects', 'notes.txt'), 'utf8'), 'x');
  });
});

describe('the store with a damaged object', () => {
  const scratch = useScratch();
  const size = 3 * PIECE_BYTES + 500;
  const content = contentOf('damaged', size);

  async function damaged(change: (path: string) => Promise<void>) {
    const directory = scratch();
    const logger = new RecordingLogger();
    const store = await openStore(directory, logger);
    const entry = await keep(store, urlOf(0), content);
    await change(pathOf(directory, entry));
    return { store, entry, directory, logger };
  }

  /** Reads to the failure: every byte that came before is right; the object is gone then. */
  async function isRefused(store: ObjectStore, entry: Entry, goodBytes: number): Promise<void> {
    const { bytes, error } = await collectBroken(store.read(entry, 0, size));
    assert.equal((error as { code?: string }).code, 'E_OBJECT_CORRUPT');
    assert.deepEqual(bytes, content.subarray(0, goodBytes));
    assert.equal(store.find(urlOf(0), '*'), undefined);
    assert.equal(store.storedBytes, 0);
  }

  for (const [what, at, goodBytes] of [
    ['first', 0, 0],
    ['first byte of the second', PIECE_BYTES, PIECE_BYTES],
    ['middle', 2 * PIECE_BYTES - 1, PIECE_BYTES],
    ['last', size - 1, 3 * PIECE_BYTES],
  ] as const) {
    it(`delivers no bad byte when a byte of the ${what} piece is flipped, and drops it`, async () => {
      const { store, entry, directory, logger } = await damaged(async (path) => {
        await writeFile(path, flipped(content, at));
      });
      await isRefused(store, entry, goodBytes);
      assert.equal(logger.all('object-corrupt').length, 1);
      const again = await keep(store, urlOf(0), content);
      assert.deepEqual(await readEntry(store, again), content);
      assert.equal((await openStore(directory)).objects, 1);
    });
  }

  it('reads a part beside the damage, and refuses one that touches it', async () => {
    const { store, entry } = await damaged((path) => writeFile(path, flipped(content, 0)));
    const part = await collect(store.read(entry, PIECE_BYTES, size));
    assert.deepEqual(part, content.subarray(PIECE_BYTES));
    await assert.rejects(collect(store.read(entry, 10, 20)), { code: 'E_OBJECT_CORRUPT' });
  });

  it('refuses one that was cut, lengthened, deleted, or that lost its piece hashes', async () => {
    const changes: Array<[number, (path: string) => Promise<void>]> = [
      [0, (path) => truncate(path, 0)],
      [PIECE_BYTES, (path) => truncate(path, PIECE_BYTES + 1)],
      [3 * PIECE_BYTES, (path) => writeFile(path, Buffer.concat([content, Buffer.from('x')]))],
      [0, (path) => rm(path)],
      [0, (path) => rm(`${path}.pieces`)],
      [0, (path) => truncate(`${path}.pieces`, 32)],
      [0, (path) => writeFile(`${path}.pieces`, contentOf('other hashes', 128))],
    ];
    for (const [goodBytes, change] of changes) {
      const { store, entry } = await damaged(change);
      await isRefused(store, entry, goodBytes);
    }
  });

  it('drops an object whose piece hashes are damaged also when only they are asked for', async () => {
    const { store, entry } = await damaged((path) => rm(`${path}.pieces`));
    await assert.rejects(store.hashes(entry), { code: 'E_OBJECT_CORRUPT' });
    assert.equal(store.findObject(entry.attestation.sha256), undefined);
  });

  it('is pinned again when a pinned one is fetched anew', async () => {
    const { store, entry } = await damaged((path) => rm(path));
    await store.pin(urlOf(0), true);
    await assert.rejects(readEntry(store, entry), { code: 'E_OBJECT_CORRUPT' });
    assert.equal((await keep(store, urlOf(0), content)).pinned, true);
    await store.pin(urlOf(0), false);
    assert.equal((await keep(store, urlOf(0), content)).pinned, false);
  });

  it('follows no link that was put in the place of an object', async () => {
    const { store, entry } = await damaged(async (path) => {
      await rename(path, `${path}.moved`);
      await symlink(`${path}.moved`, path);
    });
    await isRefused(store, entry, 0);
  });
});

describe('a store that cannot be used', () => {
  const scratch = useScratch();
  const refused = { code: 'E_STORE_UNUSABLE' };

  it('says so when a file stands in the place of a directory', async () => {
    const inPlace = scratch();
    await writeFile(inPlace, 'x');
    await assert.rejects(openStore(inPlace), refused);
    await assert.rejects(openStore(join(inPlace, 'store')), refused);
    for (const part of ['objects', 'attestations']) {
      const directory = scratch();
      await mkdir(directory);
      await writeFile(join(directory, part), 'x');
      await assert.rejects(openStore(directory), refused, part);
    }
  });

  it('says so when the journal cannot be written', async () => {
    const directory = scratch();
    await mkdir(indexOf(directory), { recursive: true });
    await assert.rejects(openStore(directory), refused);
  });

  it('says so on a file system that takes no files', async function () {
    if (process.platform !== 'linux') this.skip();
    await assert.rejects(openStore('/proc/peerage-store'), refused);
  });

  it('goes on without a journal when the disk refuses it, and frees what it drops', async () => {
    const directory = scratch();
    const logger = new RecordingLogger();
    const store = await openStore(directory, logger);
    const entry = await keep(store, urlOf(0), contentOf('a', 10));
    await rm(indexOf(directory));
    await mkdir(indexOf(directory));
    const second = await keep(store, urlOf(1), contentOf('b', 10));
    assert.deepEqual(await readEntry(store, second), contentOf('b', 10));
    assert.equal(await store.purge(urlOf(0)), 1);
    await assert.rejects(readFile(pathOf(directory, entry)), { code: 'ENOENT' });
    assert.ok(logger.all('store-index-not-written').length >= 2);
    await rm(indexOf(directory), { recursive: true });
    const after = await openStore(directory);
    assert.deepEqual(
      [...after.entries()].map(({ attestation }) => attestation.url),
      [urlOf(1)],
    );
  });
});
