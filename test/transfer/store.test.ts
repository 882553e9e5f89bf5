/** The object store as its callers see it: what goes in comes out, within the quota, for good. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ObjectStore } from '@peerage/core/transfer/store.js';
import { PIECE_BYTES } from '@peerage/core/trust/pieces.js';
import { collect, contentOf, keep, readEntry, sha256Of } from '../fakes/content.js';
import { RecordingLogger } from '../fakes/log.js';
import { useScratch } from '../fakes/scratch.js';

const MIB = 1024 * 1024;
const URL_A = 'https://origin.example/a';
const URL_B = 'https://origin.example/b';

function openStore(directory: string, quotaBytes = 100 * MIB): Promise<ObjectStore> {
  return ObjectStore.open({ directory, quotaBytes, logger: new RecordingLogger() });
}

async function filesIn(directory: string, part: string): Promise<string[]> {
  const names = await readdir(join(directory, part), { recursive: true, withFileTypes: true });
  return names.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe('the store: commit and find', () => {
  const scratch = useScratch();

  it('gives back what was committed, whole and in parts, at every size around a piece', async () => {
    const store = await openStore(scratch());
    const sizes = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 17];
    for (const size of sizes) {
      const content = contentOf(`size ${size}`, size);
      const entry = await keep(store, `https://origin.example/${size}`, content);
      assert.deepEqual(await readEntry(store, entry), content, `${size} bytes`);
      for (const [start, end] of [
        [0, size],
        [1, size],
        [Math.floor(size / 2), Math.floor(size / 2) + 1],
        [size - 1, size],
        [PIECE_BYTES - 1, PIECE_BYTES + 1],
      ] as const) {
        if (start < 0 || end > size || start > end) continue;
        const part = await collect(store.read(entry, start, end));
        assert.deepEqual(part, content.subarray(start, end), `${start} to ${end} of ${size}`);
      }
    }
    assert.equal(store.objects, sizes.length);
    assert.equal(
      store.storedBytes,
      sizes.reduce((sum, size) => sum + size, 0),
    );
  });

  it('finds an entry by its URL, its digest and its attestation, and nothing else', async () => {
    const store = await openStore(scratch());
    const content = contentOf('found', 5000);
    const entry = await keep(store, URL_A, content);
    assert.equal(store.find(URL_A, 'any'), entry);
    assert.equal(store.findObject(sha256Of(content)), entry);
    assert.equal(store.findAttestation(entry.id), entry);
    assert.equal(sha256Of(await store.attestationBytes(entry)), entry.id);
    assert.equal(store.find(URL_B, 'any'), undefined);
    assert.equal(store.findObject(sha256Of(Buffer.from('x'))), undefined);
    assert.equal(store.find('__proto__', 'any'), undefined);
  });

  it('finds of the same bytes the entry that may be shared, whichever came first', async () => {
    const store = await openStore(scratch());
    const content = contentOf('two rules', 5000);
    await keep(store, URL_A, content, {}, { immutable: false, shareable: false });
    assert.equal(store.findObject(sha256Of(content))?.shareable, false);
    const shared = await keep(store, URL_B, content);
    assert.equal(store.findObject(sha256Of(content)), shared);
  });

  it('keeps the same bytes of two URLs once, until the last of them is gone', async () => {
    const directory = scratch();
    const store = await openStore(directory);
    const content = contentOf('shared', 5000);
    await keep(store, URL_A, content);
    const second = await keep(store, URL_B, content);
    assert.equal(store.storedBytes, 5000);
    assert.equal(await store.purge(URL_A), 1);
    assert.deepEqual(await readEntry(store, second), content);
    assert.equal(await store.purge(URL_B), 1);
    assert.deepEqual(await filesIn(directory, 'objects'), []);
    assert.deepEqual(await filesIn(directory, 'attestations'), []);
    assert.equal(store.storedBytes, 0);
  });

  it('takes twenty commits of the same bytes at once', async () => {
    const store = await openStore(scratch());
    const content = contentOf('at once', 300_000);
    const urls = Array.from({ length: 20 }, (_, i) => `https://origin.example/${i}`);
    await Promise.all(urls.map((url) => keep(store, url, content)));
    for (const url of urls) {
      const entry = store.find(url, '*');
      assert.ok(entry !== undefined, url);
      assert.deepEqual(await readEntry(store, entry), content);
    }
    assert.equal(store.storedBytes, content.length);
  });

  it('replaces what a URL had before, and frees its bytes', async () => {
    const directory = scratch();
    const store = await openStore(directory);
    await keep(store, URL_A, contentOf('old', 4000));
    const content = contentOf('new', 3000);
    const entry = await keep(store, URL_A, content);
    assert.equal(store.find(URL_A, '*'), entry);
    assert.equal(store.storedBytes, 3000);
    assert.equal((await filesIn(directory, 'attestations')).length, 1);
  });
});

describe('the store: variants', () => {
  const scratch = useScratch();

  it('keeps the variants of a URL apart', async () => {
    const store = await openStore(scratch());
    const plain = await keep(store, URL_A, contentOf('plain', 100), { variant: 'plain' });
    const gzip = await keep(store, URL_A, contentOf('gzip', 50), { variant: 'gzip' });
    assert.equal(store.find(URL_A, 'plain'), plain);
    assert.equal(store.find(URL_A, 'gzip'), gzip);
    assert.equal(store.find(URL_A, 'br'), undefined);
  });

  it('lets one that does not vary take the place of all that did, and the other way round', async () => {
    const store = await openStore(scratch());
    await keep(store, URL_A, contentOf('plain', 100), { variant: 'plain' });
    await keep(store, URL_A, contentOf('gzip', 50), { variant: 'gzip' });
    const all = await keep(store, URL_A, contentOf('all', 70));
    assert.equal(store.find(URL_A, 'plain'), all);
    assert.equal(store.storedBytes, 70);
    await keep(store, URL_A, contentOf('plain', 100), { variant: 'plain' });
    assert.equal(store.find(URL_A, 'gzip'), undefined);
    assert.equal(store.storedBytes, 100);
  });

  it('keeps no more than eight variants of one URL', async () => {
    const store = await openStore(scratch());
    for (let i = 0; i < 20; i += 1) {
      await keep(store, URL_A, contentOf(`variant ${i}`, 10), { variant: `v${i}` });
    }
    assert.equal([...store.entries()].length, 8);
    assert.ok(store.find(URL_A, 'v19') !== undefined);
  });
});

describe('the store: quota and pins', () => {
  const scratch = useScratch();
  const url = (i: number) => `https://origin.example/${i}`;

  it('lets the least recently used go when the quota is exceeded', async () => {
    const directory = scratch();
    const store = await openStore(directory, 10_000);
    for (let i = 0; i < 5; i += 1) await keep(store, url(i), contentOf(url(i), 2000));
    const used = store.find(url(0), '*');
    assert.ok(used !== undefined);
    store.touch(used);
    await keep(store, url(5), contentOf(url(5), 3000));
    const left = [0, 1, 2, 3, 4, 5].filter((i) => store.find(url(i), '*') !== undefined);
    assert.deepEqual(left, [0, 3, 4, 5]);
    assert.equal(store.storedBytes, 9000);
    assert.equal((await filesIn(directory, 'objects')).length, 8);
  });

  it('never lets a pinned one go, until it is unpinned', async () => {
    const store = await openStore(scratch(), 5000);
    await keep(store, url(0), contentOf(url(0), 2000));
    assert.equal(await store.pin(url(0), true), 1);
    for (let i = 1; i < 6; i += 1) await keep(store, url(i), contentOf(url(i), 2000));
    assert.ok(store.find(url(0), '*')?.pinned);
    assert.equal(await store.pin(url(0), false), 1);
    for (let i = 6; i < 9; i += 1) await keep(store, url(i), contentOf(url(i), 2000));
    assert.equal(store.find(url(0), '*'), undefined);
    assert.equal(await store.pin('https://origin.example/none', true), 0);
  });

  it('keeps the pin when a newer copy takes the place', async () => {
    const store = await openStore(scratch(), 5000);
    await keep(store, url(0), contentOf('old', 2000));
    await store.pin(url(0), true);
    const entry = await keep(store, url(0), contentOf('new', 2000));
    assert.equal(entry.pinned, true);
  });

  it('does not lose the bytes that a commit brings while the same bytes are purged', async () => {
    const store = await openStore(scratch());
    const content = contentOf('raced', 3000);
    for (let round = 0; round < 20; round += 1) {
      await keep(store, URL_A, content);
      const [, entry] = await Promise.all([store.purge(URL_A), keep(store, URL_B, content)]);
      assert.deepEqual(await readEntry(store, entry), content, `round ${round}`);
      await store.purge(URL_B);
    }
  });
});

describe('the store: restart', () => {
  const scratch = useScratch();

  it('keeps everything: entries, rules, pins, signers and the order of use', async () => {
    const directory = scratch();
    const before = await openStore(directory);
    const url = (i: number) => `https://origin.example/${i}`;
    for (let i = 0; i < 5; i += 1) {
      const rules = { immutable: i === 1, shareable: i !== 2 };
      await keep(before, url(i), contentOf(url(i), 1000), {}, rules);
    }
    await before.pin(url(3), true);
    const used = before.find(url(0), '*');
    assert.ok(used !== undefined);
    before.touch(used);
    const entries = [...before.entries()];
    await before.close();
    const after = await openStore(directory);
    assert.deepEqual([...after.entries()], entries);
    assert.equal(after.storedBytes, 5000);
    for (const entry of after.entries()) {
      assert.deepEqual(await readEntry(after, entry), contentOf(entry.attestation.url, 1000));
    }
  });

  it('keeps everything without a clean end too', async () => {
    const directory = scratch();
    const before = await openStore(directory);
    await keep(before, URL_A, contentOf('a', 1000));
    await keep(before, URL_B, contentOf('b', 1000), {}, { immutable: true, shareable: false });
    await before.pin(URL_A, true);
    await before.purge(URL_B);
    await keep(before, URL_B, contentOf('c', 1000), {}, { immutable: true, shareable: false });
    const after = await openStore(directory);
    assert.deepEqual([...after.entries()], [...before.entries()]);
  });

  it('loses no change when the journal is compacted in the middle of others', async () => {
    const directory = scratch();
    const before = await openStore(directory);
    const url = (i: number) => `https://origin.example/${i}`;
    for (let i = 0; i < 4; i += 1) await keep(before, url(i), contentOf(url(i), 10));
    for (let i = 0; i < 1100; i += 1) await before.pin(url(0), i % 2 === 0);
    await Promise.all([
      before.purge(url(1)),
      before.pin(url(2), true),
      ...[4, 5, 6, 7].map((i) => keep(before, url(i), contentOf(url(i), 10))),
      before.purge(url(3)),
    ]);
    const journal = await readFile(join(directory, 'index.jsonl'), 'utf8');
    assert.ok(journal.split('\n').length < 100, 'the journal was compacted');
    const after = await openStore(directory);
    const urls = (store: ObjectStore) => [...store.entries()].map((entry) => entry.attestation.url);
    assert.deepEqual(urls(after).sort(), [0, 2, 4, 5, 6, 7].map(url));
    assert.equal(after.find(url(2), '*')?.pinned, true);
    assert.equal((await filesIn(directory, 'attestations')).length, 6);
  });
});
