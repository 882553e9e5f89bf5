/**
 * The rest of a body whose beginning is there already (RFC 9110 §13.1.5, §14.2): from the byte on that is
 * missing if the origin can and still has the same one, else the whole of what it has now.
 */
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

/**
 * Asks for the rest from a byte on.
 * @returns `undefined` if there is no validator to ask with, or the answer is no use
 * @throws CodedError as `OriginFetcher.fetch`
 */
export async function askRest(
  origin: Pick<OriginFetcher, 'fetch'>,
  { url, headers: request }: Ask,
  { headers, sizeBytes }: Begun,
  from: number,
): Promise<Rest | undefined> {
  const validator = rangeValidator(headers);
  if (validator === undefined || from === 0) return undefined;
  const range = { range: `bytes=${from}-`, 'if-range': validator };
  const answer = await origin.fetch('GET', url, { ...request, ...range });
  if (answer.status === 200) return { answer, firstByte: 0 };
  const part = partOf(answer);
  const { etag = headers['etag'] } = answer.headers;
  const rest = part?.firstByte === from && part.endByte === part.totalBytes;
  // An origin that does not heed If-Range must not add the end of another body to this one.
  const same = etag === headers['etag'] && (sizeBytes ?? part?.totalBytes) === part?.totalBytes;
  if (rest && same) return { answer, firstByte: from };
  answer.cancel();
  return undefined;
}
