/**
 * The way to the origins, with an eye on whether there is one: every answer, and every attempt on which
 * nothing at all was heard, is noted (PROTOCOL §5.3). A name that does not exist or a port that is closed
 * says nothing: somebody answered.
 */
import { errorCode } from '@peerage/sdk';
import type { InternetReach } from '../ports/ports.js';
import type { OriginAnswer, OriginFetcher } from './origin.js';

/** What the system says when a host cannot be reached. */
const SILENCE: ReadonlySet<unknown> = new Set([
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ETIMEDOUT',
]);

export class WatchedOrigin implements Pick<OriginFetcher, 'fetch'> {
  private readonly origin: Pick<OriginFetcher, 'fetch'>;
  private readonly reach: InternetReach;

  constructor(origin: Pick<OriginFetcher, 'fetch'>, reach: InternetReach) {
    this.origin = origin;
    this.reach = reach;
  }

  /** @throws CodedError as `OriginFetcher.fetch` */
  async fetch(...request: Parameters<OriginFetcher['fetch']>): Promise<OriginAnswer> {
    const { hostname: host } = new URL(request[1]);
    try {
      const answer = await this.origin.fetch(...request);
      this.reach.originAsked(host, true);
      return answer;
    } catch (error) {
      if (errorCode(error) === 'E_ORIGIN_UNREACHABLE' && isSilence(error))
        this.reach.originAsked(host, false);
      throw error;
    }
  }
}

function isSilence(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && SILENCE.has(at.code)) return true;
  }
  return false;
}
