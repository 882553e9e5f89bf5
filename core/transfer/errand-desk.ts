/**
 * The provider's desk (PROTOCOL §5.5): gets from the Internet what a node without it asks for, and
 * sends its declared uploads. The bytes travel as a flight, signed and verified like any other.
 *
 * Invariants: nothing is done that this node's own plugin of that name may not do; at most
 * ERRANDS_MAX at once; what is refused gets 404 and is counted by its reason.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KnownDigest, ResourcePolicy, ResourceResponse } from '@peerage/sdk';
import type { Counters } from '../base/bounded.js';
import {
  ERRAND_BYTES_MAX,
  ERRAND_HEAD_MAX,
  ERRAND_HEADER,
  type ErrandRules,
} from '../ports/errands.js';
import type { OwnContent } from '../ports/plugins.js';
import type { ContentTransfer } from '../ports/ports.js';
import { normalise } from './ask.js';

/** Errands at once, of all nodes together. */
const ERRANDS_MAX = 64;

export interface ErrandDeskOptions {
  readonly transfer: ContentTransfer;
  readonly own: Pick<OwnContent, 'upload'>;
  readonly rules: ErrandRules;
  /** Whether this node may use the Internet itself. */
  readonly internet: boolean;
  /** Where a download of ours can be followed. */
  readonly flightPath: (href: string, variant: string) => string;
}

/** What is asked for, as it stands in the header. */
export interface Errand {
  readonly service: string;
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly policy: ResourcePolicy;
}

export class ErrandDesk {
  private readonly options: ErrandDeskOptions;
  private open = 0;
  /** Downloads that go on after their errand was answered. */
  private draining = 0;

  constructor(options: ErrandDeskOptions) {
    this.options = options;
  }

  /** Answers a member's errand. */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    counters: Counters,
  ): Promise<void> {
    const { rules, internet } = this.options;
    const refuse = (reason: string, status = 404) => {
      counters.add(`errand-refused-${reason}`);
      request.resume();
      response.writeHead(status).end();
    };
    const errand = readErrand(request.headers[ERRAND_HEADER]);
    if (errand === undefined || request.method !== 'POST') return refuse('malformed');
    const kind = errand.method === 'GET' ? 'urls' : 'uploads';
    if (!internet) return refuse('no-internet');
    if (!rules.allows(errand.service, errand.url, kind)) return refuse('undeclared');
    if (this.open + this.draining >= ERRANDS_MAX) return refuse('busy', 503);
    this.open += 1;
    counters.add(`errands-${kind}`);
    try {
      const body = await readBody(request);
      if (body === undefined) return refuse('too-large');
      const answer =
        errand.method === 'GET' ? await this.fetch(errand) : await this.upload(errand, body);
      if (answer === undefined) return refuse('unshared');
      const text = JSON.stringify(answer);
      response.writeHead(200, { 'content-length': Buffer.byteLength(text) }).end(text);
    } catch {
      refuse('failed', 502);
    } finally {
      this.open -= 1;
    }
  }

  /** Begins the download, unless the copy is here; says where it can be had. */
  private async fetch({ service, url, headers, policy }: Errand): Promise<object | undefined> {
    const { transfer, flightPath } = this.options;
    const ask = normalise(service, { url, headers, policy });
    if (ask.personal) return undefined;
    const opened = await transfer.open(service, { url, headers, policy });
    this.draining += 1;
    void drain(opened).finally(() => {
      this.draining -= 1;
    });
    const query = { href: ask.url, variant: ask.variant, stale: true, ageMaxMs: undefined };
    const copy = transfer.copies.find(query);
    if (copy !== undefined) return { copy };
    const going = opened.status === 200 && transfer.copies.downloading(query) !== undefined;
    return going ? { flight: flightPath(ask.url, ask.variant) } : undefined;
  }

  private async upload(
    { service, url, method, headers }: Errand,
    body: Uint8Array,
  ): Promise<object> {
    const sent = { url, method: method === 'PUT' ? method : 'POST', headers, body } as const;
    const { status, headers: answered, body: bytes } = await this.options.own.upload(sent, service);
    return { status, headers: answered, body: Buffer.from(bytes).toString('base64') };
  }
}

/** The download goes on until its end, and into the store, whoever follows it. */
async function drain({ body }: ResourceResponse): Promise<void> {
  try {
    for await (const _chunk of body);
  } catch {
    // Whoever follows the flight learns it there.
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > ERRAND_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The head of an errand; `undefined` if it is not one. Never throws. */
export function readErrand(header: string | string[] | undefined): Errand | undefined {
  if (typeof header !== 'string' || header.length > ERRAND_HEAD_MAX) return undefined;
  let said: Record<string, unknown>;
  try {
    said = JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as typeof said;
  } catch {
    return undefined;
  }
  if (typeof said !== 'object' || said === null) return undefined;
  const { service, url, method, headers, policy } = said;
  if (typeof service !== 'string' || typeof url !== 'string') return undefined;
  if (!/^https?:\/\/./.test(url) || !URL.canParse(url)) return undefined;
  if (method !== 'GET' && method !== 'POST' && method !== 'PUT') return undefined;
  const pairs = Object.entries(typeof headers === 'object' && headers !== null ? headers : {});
  if (pairs.some(([, value]) => typeof value !== 'string')) return undefined;
  return { service, url, method, headers: Object.fromEntries(pairs), policy: readPolicy(policy) };
}

/** What the asker verifies itself. How long a copy lasts is not for a peer to say. */
function readPolicy(said: unknown): ResourcePolicy {
  const { clientVerifies, digest } = (said ?? {}) as Record<string, unknown>;
  return { clientVerifies: clientVerifies === true, ...readDigest(digest) };
}

function readDigest(said: unknown): { readonly digest?: KnownDigest } {
  const { algorithm, hex } = (said ?? {}) as Record<string, unknown>;
  const known = ['sha256', 'sha512', 'sha1', 'md5'].includes(String(algorithm));
  if (!known || typeof hex !== 'string' || !/^[0-9a-f]{32,128}$/.test(hex)) return {};
  return { digest: { algorithm: algorithm as KnownDigest['algorithm'], hex } };
}
