/**
 * The rest of a body whose beginning is there already (RFC 9110 §13.1.5, §14.2): from the byte on that is
 * missing if the origin can and still has the same one, else the whole of what it has now.
 */
import type { SignedAttestation } from '../trust/attestation.js';
import type { Ask } from './ask.js';
import { type Headers, rangeValidator } from './freshness.js';
import type { OriginAnswer, OriginFetcher } from './origin.js';
import { partOf } from './origin-part.js';

export interface Rest {
  readonly answer: OriginAnswer;
  /** The byte that it begins with: the one that was asked for, or 0. */
  readonly firstByte: number;
}

/** What is known of the body from its beginning. */
export interface Begun {
  readonly headers: Headers;
  readonly sizeBytes: number | undefined;
}

/** What is known of bytes that others began to deliver. */
export interface Continued extends Begun {
  /** Hashes of its first pieces, or of all. */
  readonly hashes: Buffer;
  readonly describe: (sha256: string, chain: string) => SignedAttestation;
}

/**
 * Asks for the rest from a byte on.
 * @returns `changed` if the origin has another body now; `undefined` if there is no validator to ask
 *    with, or the answer is no use
 * @throws CodedError as `OriginFetcher.fetch`
 */
export async function askRest(
  origin: Pick<OriginFetcher, 'fetch'>,
  { url, headers: request }: Ask,
  { headers, sizeBytes }: Begun,
  from: number,
): Promise<Rest | 'changed' | undefined> {
  const validator = rangeValidator(headers);
  if (validator === undefined || from === 0) return undefined;
  const range = { range: `bytes=${from}-`, 'if-range': validator };
  const answer = await origin.fetch('GET', url, { ...request, ...range });
  const same = isSame(headers, answer.headers);
  if (answer.status === 200 && same) return { answer, firstByte: 0 };
  if (answer.status === 200) {
    answer.cancel();
    return 'changed';
  }
  const part = partOf(answer);
  const rest = part?.firstByte === from && part.endByte === part.totalBytes;
  // An origin that does not heed If-Range must not add the end of another body to this one.
  const fits = same && (sizeBytes ?? part?.totalBytes) === part?.totalBytes;
  if (rest && fits) return { answer, firstByte: from };
  answer.cancel();
  return undefined;
}

/** Whether no validator that both have says that it is another body. */
function isSame(before: Headers, now: Headers): boolean {
  return ['etag', 'last-modified'].every((name) => {
    const [known, said] = [before[name], now[name]];
    return known === undefined || said === undefined || known === said;
  });
}
