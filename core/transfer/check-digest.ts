/**
 * A body under a digest that its reader knows and its source does not: a request that joins a
 * download begun by somebody who knew no digest. The end is passed on only if the whole fits.
 */
import { createHash } from 'node:crypto';
import type { KnownDigest } from '@peerage/sdk';
import { mismatch } from './flight.js';

/** @throws CodedError `E_DIGEST_MISMATCH` in place of the last chunk */
export async function* checkDigest(
  body: AsyncIterable<Buffer>,
  { algorithm, hex }: KnownDigest,
  url: string,
): AsyncGenerator<Buffer> {
  const hash = createHash(algorithm);
  let held: Buffer | undefined;
  for await (const chunk of body) {
    if (held !== undefined) yield held;
    hash.update(chunk);
    held = chunk;
  }
  const found = hash.digest('hex');
  if (found !== hex) throw mismatch(url, algorithm, found, hex);
  if (held !== undefined) yield held;
}
