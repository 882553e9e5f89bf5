/**
 * A LAN of nodes in memory: what each node's peering service gives, and what they tell each other.
 *
 * The origin is a table of URLs; a resource that one node has got or published is given to the
 * others by `peer`, as the core does, unless it is unshared. Every request is written down.
 */
import { createHash } from 'node:crypto';
import {
  type Announcement,
  CodedError,
  type OriginRoute,
  PeeringService,
  type Publication,
  type Published,
  type ResourceRequest,
  type ResourceResponse,
} from '@peerage/sdk';

export interface OriginAnswer {
  readonly body: Uint8Array | string;
  readonly status?: number;
  readonly type?: string;
  /** The body never ends by itself. */
  readonly isEndless?: boolean;
  /** The body stops arriving after its bytes. */
  readonly isStalling?: boolean;
}

export class FakeLan {
  readonly origin = new Map<string, OriginAnswer>();
  /** What is on the LAN, by URL. */
  readonly shared = new Map<string, Uint8Array>();
  /** URLs that were asked of the origin. */
  readonly asked: string[] = [];
  readonly announced: Announcement[] = [];
  /** Where a server on this machine stands for the origin. */
  originPort: number | undefined;
  private readonly listeners = new Set<Hearing>();

  node(name: string, hasInternet = true): FakeNode {
    return new FakeNode(this, name, hasInternet);
  }

  tell(announcement: Announcement): void {
    this.announced.push(announcement);
    for (const { node, listener } of this.listeners) {
      if (node !== announcement.from) listener(announcement);
    }
  }

  hear(hearing: Hearing): () => void {
    this.listeners.add(hearing);
    return () => this.listeners.delete(hearing);
  }
}

interface Hearing {
  readonly node: string;
  readonly listener: (announcement: Announcement) => void;
}

export class FakeNode extends PeeringService {
  readonly requests: ResourceRequest[] = [];
  readonly name: string;
  hasInternet: boolean;
  private readonly lan: FakeLan;

  constructor(lan: FakeLan, name: string, hasInternet: boolean) {
    super();
    this.lan = lan;
    this.name = name;
    this.hasInternet = hasInternet;
  }

  override async open(request: ResourceRequest): Promise<ResourceResponse> {
    this.requests.push(request);
    const { url, policy = {} } = request;
    const wanted = policy.digest?.hex;
    const copy = policy.unshared === true ? undefined : this.lan.shared.get(url);
    if (copy !== undefined && (wanted === undefined || digestOf(copy) === wanted)) {
      return answer({ body: copy }, 'peer', request);
    }
    if (!this.hasInternet) throw new CodedError('E_NO_INTERNET', `nobody has ${url}`);
    this.lan.asked.push(url);
    const found = this.lan.origin.get(url) ?? this.lan.origin.get(url.replace(/\?.*$/, ''));
    if (found === undefined) return answer({ status: 404, body: 'no' }, 'origin', request);
    const bytes = Buffer.from(found.body);
    if (wanted !== undefined && digestOf(bytes) !== wanted && found.isEndless !== true) {
      throw new CodedError('E_DIGEST_MISMATCH', `${url} has another digest`);
    }
    if (policy.unshared !== true && (found.status ?? 200) === 200) this.lan.shared.set(url, bytes);
    return answer(found, 'origin', request);
  }

  override async publish({ uri, body }: Publication): Promise<Published> {
    const chunks: Uint8Array[] = [];
    if (body instanceof Uint8Array) chunks.push(body);
    else for await (const chunk of body) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    this.lan.shared.set(uri, bytes);
    return { sha256: digestOf(bytes), sizeBytes: bytes.length };
  }

  override async find(): Promise<undefined> {}

  override async upload(): Promise<never> {
    throw new CodedError('E_UPLOAD_NOT_GRANTED', 'this node uploads nothing');
  }

  override async route(host: string): Promise<OriginRoute> {
    const port = this.lan.originPort;
    if (this.hasInternet && port !== undefined) return { addresses: ['127.0.0.1'], port };
    throw new CodedError('E_NO_INTERNET', `${host} cannot be reached`);
  }

  override async announce(name: string, values: Readonly<Record<string, string>>): Promise<void> {
    demandSendable(values);
    this.lan.tell({ name, values, from: this.name });
  }

  override async onAnnouncement(listener: (announcement: Announcement) => void) {
    return { dispose: this.lan.hear({ node: this.name, listener }) };
  }
}

export function digestOf(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function answer(
  found: OriginAnswer,
  source: 'peer' | 'origin',
  { signal }: ResourceRequest,
): ResourceResponse {
  const bytes = Buffer.from(found.body);
  async function* body(): AsyncGenerator<Uint8Array> {
    yield bytes;
    while (found.isEndless === true) yield Buffer.alloc(65_536, 'x');
    if (found.isStalling === true) {
      await new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(new CodedError('E_CANCELLED', 'cut off')));
      });
    }
  }
  const headers: [string, string][] = [['content-type', found.type ?? 'application/octet-stream']];
  return {
    status: found.status ?? 200,
    headers,
    source,
    sizeBytes: undefined,
    sha256: undefined,
    body: body(),
  };
}

/** What the core holds announcements against. */
function demandSendable(values: Readonly<Record<string, string>>): void {
  const pairs = Object.entries(values);
  const isShort = pairs.length <= 8 && pairs.every(([, value]) => value.length <= 200);
  const isFree = pairs.every(([key]) => !['version', 'type', 'service', 'group'].includes(key));
  const bytes = pairs.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (isShort && isFree && bytes <= 700) return;
  throw new CodedError('E_ANNOUNCEMENT_INVALID', JSON.stringify(values));
}
