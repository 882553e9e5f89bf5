/** One writer and its followers: each gets every byte in order, or an error, never a false end. */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { SeededRandom } from '@peerage/core/base/random.js';
import { Spool } from '@peerage/core/transfer/spool.js';
import { collect, collectBroken, contentOf } from '../fakes/content.js';
import { openOnFullDisk } from '../fakes/full-disk.js';
import { useScratch } from '../fakes/scratch.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const broken = new Error('the source broke off');

/** Writes `content` in chunks of odd sizes. */
async function write(spool: Spool, content: Buffer, seed = 1): Promise<void> {
  const random = new SeededRandom(seed);
  for (let at = 0; at < content.length; ) {
    const end = at + 1 + Math.floor(random.fraction() * 200 * KIB);
    await spool.append(content.subarray(at, end));
    at = end;
  }
}

/** Lets everything run that can run without anything new happening. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 50; i += 1) await turn();
}

/** Reads at a pace of its own: some turns of the loop between two chunks. */
async function readSlowly(body: AsyncIterable<Buffer>, turns: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) {
    chunks.push(chunk);
    for (let i = 0; i < turns; i += 1) await turn();
  }
  return Buffer.concat(chunks);
}

describe('the spool with a file', () => {
  const scratch = useScratch();
  const content = contentOf('spool', 3 * MIB + 7);

  it('gives every follower every byte, whenever it comes and however slow it is', async () => {
    const spool = new Spool(await open(scratch(), 'wx+'));
    const followers = [0, 1, 5, 20].map((turns) => readSlowly(spool.read(0, undefined), turns));
    await write(spool, content);
    const late = collect(spool.read(0, undefined));
    spool.end();
    const later = collect(spool.read(1000, 2 * MIB));
    for (const got of await Promise.all([...followers, late])) assert.ok(got.equals(content));
    assert.ok((await later).equals(content.subarray(1000, 2 * MIB)));
    assert.equal(spool.stored, true);
    spool.release();
  });

  it('never makes the writer wait for a reader', async () => {
    const spool = new Spool(await open(scratch(), 'wx+'));
    const asleep = spool.read(0, undefined);
    await write(spool, content);
    spool.end();
    assert.ok((await collect(asleep)).equals(content));
    spool.release();
  });

  it('gives parts, also such as end beyond the end', async () => {
    const spool = new Spool(await open(scratch(), 'wx+'));
    const parts: Array<[number, number | undefined]> = [
      [0, 0],
      [0, 1],
      [content.length - 1, undefined],
      [content.length, undefined],
      [content.length + 10, undefined],
      [5, content.length + 10],
    ];
    const reading = parts.map(([start, end]) => collect(spool.read(start, end)));
    await write(spool, content);
    spool.end();
    for (const [i, got] of (await Promise.all(reading)).entries()) {
      const [start, end] = parts[i] ?? [0, 0];
      assert.ok(got.equals(content.subarray(start, end)), `${start} to ${end}`);
    }
    spool.release();
  });

  it('tells every follower of the failure, after the bytes that came', async () => {
    const spool = new Spool(await open(scratch(), 'wx+'));
    const reading = [0, 3].map((start) => collectBroken(spool.read(start, undefined)));
    await write(spool, content);
    spool.fail(broken);
    const late = collectBroken(spool.read(1, undefined));
    for (const { bytes, error } of await Promise.all([...reading, late])) {
      assert.equal(error, broken);
      assert.ok(content.includes(bytes) && bytes.length > content.length - 4);
    }
    spool.end();
    const { error } = await collectBroken(spool.read(0, undefined));
    assert.equal(error, broken, 'an end after the failure changes nothing');
    spool.release();
  });

  it('closes the file once: after the writer and the last reader', async () => {
    const { handle, closed } = await openOnFullDisk(scratch(), 10 * MIB);
    const spool = new Spool(handle);
    const reader = spool.read(0, undefined);
    await write(spool, content);
    spool.end();
    spool.release();
    await quiet();
    assert.equal(closed(), false);
    assert.ok((await collect(reader)).equals(content));
    await quiet();
    assert.equal(closed(), true);
    assert.throws(() => spool.read(0, undefined), { code: 'E_BYTES_GONE' });
  });
});

describe('the spool without a file', () => {
  const content = contentOf('memory', 5 * MIB);

  it('gives everything to all that were there from the start, at the pace of the slowest', async () => {
    const spool = new Spool(undefined);
    const readers = [0, 2].map((turns) => readSlowly(spool.read(0, undefined), turns));
    const asleep = spool.read(0, undefined);
    let written = false;
    const writing = write(spool, content).then(() => {
      written = true;
      spool.end();
    });
    await quiet();
    assert.equal(written, false, 'the writer waits for the one that does not read');
    assert.ok(spool.writtenBytes <= MIB + 200 * KIB, `${spool.writtenBytes} bytes in memory`);
    const all = await Promise.all([...readers, collect(asleep)]);
    await writing;
    for (const got of all) assert.ok(got.equals(content));
    assert.equal(spool.stored, false);
  });

  it('lets the writer go on when the slow one leaves', async () => {
    const spool = new Spool(undefined);
    const asleep = spool.read(0, undefined);
    const reading = collect(spool.read(0, undefined));
    const writing = write(spool, content).then(() => spool.end());
    await quiet();
    await asleep.return?.(undefined);
    await writing;
    assert.ok((await reading).equals(content));
  });

  it('refuses whoever comes when the beginning is gone', async () => {
    const spool = new Spool(undefined);
    const reader = spool.read(0, undefined);
    await spool.append(content.subarray(0, 1000));
    await reader.next();
    assert.equal(spool.holds(0), false);
    assert.throws(() => spool.read(0, undefined), { code: 'E_BYTES_GONE' });
    assert.equal(spool.holds(1000), true);
  });

  it('begins where the later part of a resource begins', async () => {
    const spool = new Spool(undefined, 5000);
    assert.throws(() => spool.read(4999, undefined), { code: 'E_BYTES_GONE' });
    const reading = collect(spool.read(5500, 6000));
    await spool.append(content.subarray(5000, 8000));
    spool.end();
    assert.ok((await reading).equals(content.subarray(5500, 6000)));
  });

  it('says once that the last reader has left, and stops a writer that nobody reads', async () => {
    const spool = new Spool(undefined);
    let deserted = 0;
    spool.onDeserted = () => {
      deserted += 1;
    };
    const [one, two] = [spool.read(0, undefined), spool.read(0, undefined)];
    await one.return?.(undefined);
    assert.equal(deserted, 0);
    assert.equal(spool.deserted, false);
    await two.return?.(undefined);
    await two.return?.(undefined);
    assert.equal(deserted, 1);
    assert.equal(spool.deserted, true);
    await assert.rejects(write(spool, content), { code: 'E_CANCELLED' });
  });

  it('stops a writer that waits when its last reader leaves', async () => {
    const spool = new Spool(undefined);
    const asleep = spool.read(0, undefined);
    const writing = assert.rejects(write(spool, content), { code: 'E_CANCELLED' });
    await quiet();
    await asleep.return?.(undefined);
    await writing;
  });

  it('fails a follower that waits', async () => {
    const spool = new Spool(undefined);
    const waiting = collectBroken(spool.read(0, undefined));
    await quiet();
    spool.fail(broken);
    assert.equal((await waiting).error, broken);
  });
});

describe('the spool when its file takes no more', () => {
  const scratch = useScratch();
  const content = contentOf('full', 4 * MIB);

  for (const room of [0, 1, 300 * KIB, 2 * MIB + 5]) {
    it(`gives every byte all the same: disk full after ${room} bytes`, async () => {
      const { handle, closed } = await openOnFullDisk(scratch(), room);
      const spool = new Spool(handle);
      const followers = [0, 1, 4].map((turns) => readSlowly(spool.read(0, undefined), turns));
      await write(spool, content);
      spool.end();
      for (const got of await Promise.all(followers)) assert.ok(got.equals(content));
      assert.equal(spool.stored, false);
      spool.release();
      await quiet();
      assert.equal(closed(), true);
    });
  }

  it('gives a late follower no byte from the wrong place', async () => {
    const { handle } = await openOnFullDisk(scratch(), 100 * KIB);
    const spool = new Spool(handle);
    const first = spool.read(0, undefined);
    const half = content.subarray(0, 800 * KIB);
    for (let at = 0; at < half.length; at += 50 * KIB) {
      await spool.append(half.subarray(at, at + 50 * KIB));
    }
    let read = 0;
    while (read < 500 * KIB) read += (await first.next()).value?.length ?? 0;
    assert.equal(spool.holds(0), false, 'what lies between the file and the memory is gone');
    assert.throws(() => spool.read(0, undefined), { code: 'E_BYTES_GONE' });
    spool.fail(broken);
    await first.return?.(undefined);
    spool.release();
  });

  it('keeps no more in the file than it may: a body without an end fills no disk', async () => {
    const { handle } = await openOnFullDisk(scratch(), 10 * MIB);
    const spool = new Spool(handle, 0, 2 * MIB);
    const reading = collect(spool.read(0, undefined));
    await write(spool, content);
    spool.end();
    assert.ok((await reading).equals(content));
    assert.ok((await handle.stat()).size <= 2 * MIB);
    assert.equal(spool.stored, false);
    spool.release();
  });

  it('gives up when the disk is full and nobody reads', async () => {
    const { handle } = await openOnFullDisk(scratch(), 0);
    const spool = new Spool(handle);
    let deserted = 0;
    spool.onDeserted = () => {
      deserted += 1;
    };
    const reader = spool.read(0, undefined);
    await spool.append(content.subarray(0, 10));
    await reader.return?.(undefined);
    assert.equal(deserted, 1);
    await assert.rejects(write(spool, content), { code: 'E_CANCELLED' });
    spool.fail(broken);
    spool.release();
  });
});
