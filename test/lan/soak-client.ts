/**
 * A mixed load of one host, run there as a program: what is known, what is new on every host, parts,
 * clients that go away, and what is not there. Checks what it gets; prints counts as JSON.
 *
 * Arguments: proxy port, origin's URL, seconds, the number of this slice (new URLs are made of it).
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { SeededRandom } from '@peerage/core/base/random.js';
import { contentSha256 } from './content.js';

const KNOWN = 20;
const KNOWN_BYTES = 100_000;
const NEW_BYTES = 1_000_000;
/** New URLs in a slice: every host asks for the same ones. */
const NEW = 12;
/** Requests at once. */
const CLIENTS = 4;

const [port = '', origin = '', seconds = '', slice = ''] = process.argv.slice(2);
const counts = { known: 0, fresh: 0, parts: 0, goneAway: 0, missing: 0, wrong: 0 };
const digests = new Map<string, string>();

function urlOf(seed: string, sizeBytes: number): { url: string; sha256: string } {
  const sha256 = digests.get(seed) ?? contentSha256(seed, sizeBytes);
  digests.set(seed, sha256);
  return { url: `${origin}/bytes/${sizeBytes}/${seed}/by-hash/SHA256/${sha256}`, sha256 };
}

async function ask(url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const options = { host: '127.0.0.1', port, path: url, headers, agent: false };
  const outgoing = request({ ...options, headers: { ...headers, host: new URL(url).host } }).end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return response;
}

async function whole(seed: string, sizeBytes: number): Promise<void> {
  const { url, sha256 } = urlOf(seed, sizeBytes);
  const hash = createHash('sha256');
  for await (const chunk of (await ask(url)) as AsyncIterable<Buffer>) hash.update(chunk);
  if (hash.digest('hex') !== sha256) counts.wrong += 1;
}

async function one(random: SeededRandom): Promise<void> {
  const draw = random.fraction();
  const pick = (count: number) => Math.floor(random.fraction() * count);
  const known = `known-${pick(KNOWN)}`;
  if (draw < 0.6) {
    await whole(known, KNOWN_BYTES);
    counts.known += 1;
  } else if (draw < 0.75) {
    await whole(`new-${slice}-${pick(NEW)}`, NEW_BYTES);
    counts.fresh += 1;
  } else if (draw < 0.88) {
    const part = await ask(urlOf(known, KNOWN_BYTES).url, { range: 'bytes=1000-1999' });
    let sizeBytes = 0;
    for await (const chunk of part as AsyncIterable<Buffer>) sizeBytes += chunk.length;
    if (part.statusCode !== 206 || sizeBytes !== 1000) counts.wrong += 1;
    counts.parts += 1;
  } else if (draw < 0.95) {
    const { url } = urlOf(`new-${slice}-${pick(NEW)}`, NEW_BYTES);
    (await ask(url)).destroy();
    counts.goneAway += 1;
  } else {
    const none = await ask(`${origin}/none/${pick(KNOWN)}`);
    none.resume();
    if (none.statusCode !== 404) counts.wrong += 1;
    counts.missing += 1;
  }
}

async function client(number: number, endAt: number): Promise<void> {
  const random = new SeededRandom(Number(slice) * CLIENTS + number);
  while (performance.now() < endAt) {
    await one(random).catch(() => {
      counts.wrong += 1;
    });
  }
}

const endAt = performance.now() + Number(seconds) * 1000;
await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number, endAt)));
process.stdout.write(`${JSON.stringify(counts)}\n`);
process.exit();
