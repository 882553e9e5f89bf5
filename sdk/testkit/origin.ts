/** The Internet as a test scripts it, with a record of everything that was asked of it. */
import { CodedError } from '@peerage/sdk';

export interface OriginResource {
  readonly body: Uint8Array;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** How long a copy is fresh, in milliseconds. */
  readonly lifetimeMs: number;
}

/** One request that reached the origin. */
export interface OriginRequest {
  readonly node: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: string;
  readonly body: Uint8Array;
}

const HOUR_MS = 3_600_000;

export class TestOrigin {
  readonly requests: OriginRequest[] = [];
  private readonly resources = new Map<string, OriginResource>();
  private down = false;

  /** From now on this URL has these bytes. */
  serve(url: string, body: Uint8Array | string, about: Partial<Omit<OriginResource, 'body'>> = {}) {
    const { status = 200, headers = {}, lifetimeMs = HOUR_MS } = about;
    this.resources.set(new URL(url).href, { body: Buffer.from(body), status, headers, lifetimeMs });
  }

  /** From now on nothing answers, or all of it again. */
  fail(down = true): void {
    this.down = down;
  }

  /** @throws CodedError `E_ORIGIN_UNREACHABLE` */
  answer(request: OriginRequest): OriginResource {
    this.requests.push(request);
    const found = this.resources.get(request.url);
    if (found !== undefined && !this.down) return found;
    throw new CodedError('E_ORIGIN_UNREACHABLE', `${request.url}: nothing answers`);
  }
}
