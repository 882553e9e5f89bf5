/** A download and what it promises: right to the last byte, or an error before the last byte. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Flight, type FlightHead } from '@peerage/core/transfer/flight.js';
import { WhyBook } from '@peerage/core/transfer/why.js';
import { PieceHasher } from '@peerage/core/trust/pieces.js';
import type { KnownDigest } from '@peerage/sdk';
import { AdjustableClock } from '../fakes/clock.js';
import { collect, collectBroken, contentOf, sha256Of } from '../fakes/content.js';

const content = contentOf('flight', 600_000);

function newFlight(digest?: KnownDigest): Flight {
  const url = 'https://origin.example/a';
  const trail = new WhyBook(new AdjustableClock()).begin({ url, service: 'test', personal: false });
  const what = { service: 'test', url, key: url, variant: 'v', startedAt: 0, joinable: true };
  const about = { ...what, trail };
  return new Flight({ ...about, digest, path: `/f/${'0'.repeat(64)}` });
}

function headOf(changes: Partial<FlightHead> = {}): FlightHead {
  const head = { status: 200, headers: {}, source: 'origin', sha256: undefined } as const;
  return { ...head, sizeBytes: content.length, ...changes };
}

async function appendAll(flight: Flight, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; at += 50_000) {
    await flight.append(bytes.subarray(at, at + 50_000));
  }
}

describe('a flight', () => {
  it('gives its followers the head first, then every byte, and its digests at the end', async () => {
    const flight = newFlight({ algorithm: 'sha256', hex: sha256Of(content) });
    const head = flight.head;
    flight.begin(headOf(), undefined);
    assert.equal((await head).sizeBytes, content.length);
    const reading = collect(flight.spool.read(0, undefined));
    await appendAll(flight, content);
    const hasher = new PieceHasher();
    hasher.update(content);
    assert.deepEqual(flight.verify(), hasher.digest());
    assert.deepEqual(flight.verify(), flight.verify());
    flight.complete();
    assert.ok((await reading).equals(content));
    assert.equal(flight.receivedBytes, content.length);
  });

  for (const algorithm of ['md5', 'sha1', 'sha256', 'sha512'] as const) {
    it(`holds the last bytes back when the ${algorithm} known in advance does not fit`, async () => {
      const hex = createHash(algorithm).update('other bytes').digest('hex');
      const flight = newFlight({ algorithm, hex });
      flight.begin(headOf(), undefined);
      const reading = collectBroken(flight.spool.read(0, undefined));
      await assert.rejects(appendAll(flight, content), { code: 'E_DIGEST_MISMATCH' });
      flight.fail(new Error('failed'));
      assert.ok((await reading).bytes.length < content.length);
    });
  }

  it('holds the last bytes back when they are others than were announced', async () => {
    const flight = newFlight();
    flight.begin(headOf({ source: 'peer', sha256: sha256Of(Buffer.from('x')) }), undefined);
    const reading = collectBroken(flight.spool.read(0, undefined));
    await assert.rejects(appendAll(flight, content), { code: 'E_DIGEST_MISMATCH' });
    flight.fail(new Error('failed'));
    assert.ok((await reading).bytes.length < content.length);
  });

  it('takes neither fewer nor more bytes than were announced', async () => {
    const short = newFlight();
    short.begin(headOf(), undefined);
    await short.append(content.subarray(1));
    assert.throws(() => short.verify(), { code: 'E_BODY_TRUNCATED' });
    const long = newFlight();
    long.begin(headOf({ sizeBytes: 10 }), undefined);
    await assert.rejects(long.append(content), { code: 'E_BODY_TRUNCATED' });
  });

  it('verifies a body without a length at its end', async () => {
    const digest = { algorithm: 'sha256', hex: sha256Of(content) } as const;
    const right = newFlight(digest);
    right.begin(headOf({ sizeBytes: undefined }), undefined);
    const reading = collect(right.spool.read(0, undefined));
    await right.append(content);
    assert.equal(right.verify().sha256, digest.hex);
    right.complete();
    await reading;
    const wrong = newFlight(digest);
    wrong.begin(headOf({ sizeBytes: undefined }), undefined);
    await wrong.append(content.subarray(1));
    assert.throws(() => wrong.verify(), { code: 'E_DIGEST_MISMATCH' });
  });

  it('fails all that wait for its head, and all that read', async () => {
    const flight = newFlight();
    const error = new Error('no source');
    flight.fail(error);
    await assert.rejects(flight.head, error);
    await assert.rejects(flight.head, error);
  });

  it('may be joined while its beginning is held, and not by others than it is meant for', async () => {
    const flight = newFlight();
    flight.begin(headOf(), undefined);
    assert.equal(flight.mayJoin(0), true);
    const reader = flight.spool.read(0, undefined);
    await flight.append(content.subarray(0, 1000));
    await reader.next();
    assert.equal(flight.mayJoin(0), false);
    await reader.return?.(undefined);
    const personal = newFlight();
    personal.shared = false;
    personal.begin(headOf(), undefined);
    assert.equal(personal.mayJoin(0), false);
  });
});
