/** A HEAD request on its way to the origin and back; nothing is stored of it. */
import type { ResourceResponse } from '@peerage/sdk';
import type { Ask } from './ask.js';
import { storableHeaders } from './freshness.js';
import type { OriginFetcher } from './origin.js';

/** Passes a HEAD on. @throws CodedError as `OriginFetcher.fetch` */
export async function passHead(
  origin: Pick<OriginFetcher, 'fetch'>,
  { url, headers }: Ask,
): Promise<ResourceResponse> {
  const answer = await origin.fetch('HEAD', url, headers);
  answer.cancel();
  const length = answer.headers['content-length'];
  return {
    status: answer.status,
    headers: [
      ...Object.entries(storableHeaders(answer.headers)),
      ...answer.cookies.map((value) => ['set-cookie', value] as const),
    ],
    source: 'origin',
    sizeBytes: length === undefined ? undefined : Number(length),
    sha256: undefined,
    body: (async function* () {})(),
  };
}
