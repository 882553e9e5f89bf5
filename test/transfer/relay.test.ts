/** The serving end of a flight: its followers get every frame, also when the node itself is done. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Flight } from '@peerage/core/transfer/flight.js';
import { FRAME, FRAME_HEADER_BYTES, relayFrames } from '@peerage/core/transfer/relay.js';
import { WhyBook } from '@peerage/core/transfer/why.js';
import { PIECE_BYTES } from '@peerage/core/trust/pieces.js';
import { AdjustableClock } from '../fakes/clock.js';
import { contentOf } from '../fakes/content.js';
import { useScratch } from '../fakes/scratch.js';

const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
const ABOUT = { url: '', variant: '*', status: 200, headers: {}, sizeBytes: undefined, tls: true };
const SIGNATURE = Buffer.alloc(64, 7);
const content = contentOf('relay', 3 * PIECE_BYTES + 5);

/** A flight with a file, whose pieces are signed by a stand-in. */
async function flightTo(path: string): Promise<Flight> {
  const url = 'https://origin.example/a';
  const trail = new WhyBook(new AdjustableClock()).begin({ url, service: 'test', personal: false });
  const what = { service: 'test', url, key: url, variant: 'v', startedAt: 0, joinable: true };
  const about = { ...what, trail };
  const flight = new Flight({ ...about, digest: undefined, path: `/f/${'0'.repeat(64)}` });
  flight.hasher.onPiece = () => flight.track.addPiece(SIGNATURE);
  const head = { status: 200, headers: {}, source: 'origin', sha256: undefined } as const;
  const incoming = { path, file: await open(path, 'wx+'), limitBytes: Infinity };
  flight.begin({ ...head, sizeBytes: content.length }, incoming);
  return flight;
}

/** The bytes of the pieces in a stream of frames, and the types of the frames. */
function parse(stream: Buffer): { bytes: Buffer; types: number[] } {
  const pieces: Buffer[] = [];
  const types: number[] = [];
  for (let at = 0; at < stream.length; ) {
    const length = stream.readUInt32BE(at + 1);
    types.push(stream.readUInt8(at));
    at += FRAME_HEADER_BYTES;
    if (types.at(-1) === FRAME.piece) {
      assert.ok(stream.subarray(at, at + SIGNATURE.length).equals(SIGNATURE));
      pieces.push(stream.subarray(at + SIGNATURE.length, at + length));
    }
    at += length;
  }
  return { bytes: Buffer.concat(pieces), types };
}

describe('the frames of a flight', () => {
  const scratch = useScratch();

  it('carry each head where it began to hold here, whatever piece it began with elsewhere', async () => {
    const flight = await flightTo(scratch());
    const add = (name: string) => {
      const description = { ...ABOUT, firstPiece: 0 };
      const signed = { description, bytes: Buffer.from(name), hash: Buffer.from(name) };
      flight.track.addHead({ ...signed, signer: name, key: KEY });
    };
    add('first');
    await flight.append(content.subarray(0, PIECE_BYTES));
    add('second');
    await flight.append(content.subarray(PIECE_BYTES, 2 * PIECE_BYTES));
    add('first');
    await flight.append(content.subarray(2 * PIECE_BYTES));
    flight.verify();
    flight.complete();
    const frames = relayFrames(flight, 1);
    const seen: string[] = [];
    while (seen.length < 5) {
      const bytes = Buffer.from((await frames.next()).value ?? '');
      if (bytes.readUInt8() === FRAME.head) seen.push(`${bytes.subarray(FRAME_HEADER_BYTES)}`);
      else if (bytes.length < 100) {
        seen.push('piece');
        await frames.next();
      }
    }
    await frames.return(undefined);
    assert.deepEqual(seen, ['first', 'second', 'piece', 'first', 'piece']);
    flight.spool.release();
  });

  for (const chunkBytes of [PIECE_BYTES, 50_000]) {
    it(`reach a slow follower after the node is done, written by ${chunkBytes} bytes`, async () => {
      const flight = await flightTo(scratch());
      const frames = relayFrames(flight, 0);
      const got: Buffer[] = [];
      await flight.append(content.subarray(0, PIECE_BYTES));
      for (let i = 0; i < 2; i += 1) got.push((await frames.next()).value ?? Buffer.alloc(0));
      for (let at = PIECE_BYTES; at < content.length; at += chunkBytes) {
        await flight.append(content.subarray(at, at + chunkBytes));
      }
      flight.verify();
      flight.complete();
      flight.spool.release();
      for (let left = flight.track.signatures.length - 1; left > 0; left -= 1) {
        for (let i = 0; i < 2; i += 1) got.push((await frames.next()).value ?? Buffer.alloc(0));
      }
      await frames.return(undefined);
      const { bytes, types } = parse(Buffer.concat(got));
      assert.deepEqual(types, Array(4).fill(FRAME.piece));
      assert.ok(bytes.equals(content));
      assert.throws(() => flight.spool.read(0, undefined), { code: 'E_BYTES_GONE' });
    });
  }
});
