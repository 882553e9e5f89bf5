/**
 * A peering service in memory: the resources, failures and routes that a test puts in.
 *
 * It keeps the contract of `PeeringService.open()` (the head of the whole resource, a body of the
 * wanted bytes, an early end only by throwing) except where a test asks it to break it.
 */
import {
  CodedError,
  type OriginRoute,
  PeeringService,
  type ResourceRequest,
  type ResourceResponse,
  type ResourceSource,
} from '@peerage/sdk';

export interface FakeResource {
  readonly body: Uint8Array | string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly source?: ResourceSource;
  /** `false`: the size is not known when the head is. */
  readonly isSizeKnown?: boolean;
  /** The body throws after that many bytes. */
  readonly failsAfterBytes?: number;
  /** The body ends cleanly after that many bytes, against the contract. */
  readonly endsAfterBytes?: number;
  /** The body waits after that many bytes until it is closed. */
  readonly stallsAfterBytes?: number;
  readonly chunkBytes?: number;
  /** Whether the answer can be given again without a call, until `endLeases`. */
  readonly leased?: boolean;
}

/** A body that tells how far it was read and whether it was given back. */
export class FakeBody implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  deliveredBytes = 0;
  isClosed = false;
  private readonly waiting: Array<() => void> = [];
  private readonly bytes: Uint8Array;
  private readonly resource: FakeResource;

  constructor(bytes: Uint8Array, resource: FakeResource) {
    this.bytes = bytes;
    this.resource = resource;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const { failsAfterBytes, endsAfterBytes, stallsAfterBytes, chunkBytes } = this.resource;
    if (this.deliveredBytes === failsAfterBytes) {
      this.close();
      throw new CodedError('E_DIGEST_MISMATCH', 'the last source lied');
    }
    if (this.deliveredBytes === stallsAfterBytes && !this.isClosed) await this.closed();
    const limit = Math.min(
      this.bytes.byteLength,
      ...[failsAfterBytes, endsAfterBytes, stallsAfterBytes].filter((bytes) => bytes !== undefined),
    );
    const end = Math.min(limit, this.deliveredBytes + (chunkBytes ?? 65_536));
    if (this.isClosed || end === this.deliveredBytes) {
      this.close();
      return { done: true, value: undefined };
    }
    const value = this.bytes.subarray(this.deliveredBytes, end);
    this.deliveredBytes = end;
    return { done: false, value };
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.close();
    return { done: true, value: undefined };
  }

  /** Resolves when the reader has given the body back. */
  closed(): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private close(): void {
    this.isClosed = true;
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

export class FakePeering extends PeeringService {
  readonly requests: ResourceRequest[] = [];
  readonly bodies: FakeBody[] = [];
  readonly routed: string[] = [];
  private readonly resources = new Map<string, FakeResource | Error>();
  private readonly routes = new Map<string, OriginRoute | Error>();
  private readonly arrivals: Array<() => void> = [];
  private term = 0;

  put(url: string, resource: FakeResource | Error): this {
    this.resources.set(url, resource);
    return this;
  }

  /** Makes `authority` (host:port) lead to a port of this machine, or nowhere. */
  lead(authority: string, way: number | Error): this {
    const route = way instanceof Error ? way : { addresses: ['127.0.0.1'], port: way };
    this.routes.set(authority, route);
    return this;
  }

  /** The last request that arrived. */
  get last(): ResourceRequest {
    const request = this.requests.at(-1);
    if (request === undefined) throw new Error('nothing was opened');
    return request;
  }

  /** Resolves when the next request arrives. */
  arrival(): Promise<void> {
    return new Promise((resolve) => this.arrivals.push(resolve));
  }

  override async open(request: ResourceRequest): Promise<ResourceResponse> {
    this.requests.push(request);
    for (const resolve of this.arrivals.splice(0)) resolve();
    const resource = this.resources.get(request.url);
    if (resource === undefined) throw new CodedError('E_ORIGIN_UNREACHABLE', 'no such origin');
    if (resource instanceof Error) throw resource;
    return this.answer(request, resource, this.term);
  }

  /** Whatever was leased has to be asked for again. */
  endLeases(): void {
    this.term += 1;
  }

  private answer(request: ResourceRequest, resource: FakeResource, term: number): ResourceResponse {
    const whole = Buffer.from(resource.body);
    const start = request.startByte ?? 0;
    const end = request.lengthBytes === undefined ? whole.length : start + request.lengthBytes;
    const wanted = request.method === 'HEAD' ? Buffer.alloc(0) : whole.subarray(start, end);
    const body = new FakeBody(wanted, resource);
    this.bodies.push(body);
    const again = () => (term === this.term ? this.answer(request, resource, term) : undefined);
    return {
      status: resource.status ?? 200,
      headers: Object.entries(resource.headers ?? {}),
      source: resource.source ?? 'origin',
      sizeBytes: resource.isSizeKnown === false ? undefined : whole.length,
      sha256: undefined,
      body,
      ...(resource.leased === true ? { again } : {}),
    };
  }

  override async route(host: string, port: number): Promise<OriginRoute> {
    const authority = `${host}:${port}`;
    this.routed.push(authority);
    const route = this.routes.get(authority);
    if (route === undefined) throw new CodedError('E_ADDRESS_DENIED', `${authority} is denied`);
    if (route instanceof Error) throw route;
    return route;
  }

  override async find(): Promise<undefined> {
    return undefined;
  }

  override publish(): Promise<never> {
    return unused('publish');
  }

  override upload(): Promise<never> {
    return unused('upload');
  }

  override announce(): Promise<never> {
    return unused('announce');
  }

  override onAnnouncement(): Promise<never> {
    return unused('onAnnouncement');
  }
}

/** The URL cache has no use for these; a call of one is a mistake. */
async function unused(call: string): Promise<never> {
  throw new CodedError('E_CALL_UNKNOWN', `the URL cache does not call ${call}`);
}
