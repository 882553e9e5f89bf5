/**
 * The plugin's end of leases: answers a request that the core has answered before, from the
 * object's own file, without a call. A request is the same if URL, headers and policy are, so what
 * HTTP says of it was judged by the core when it granted the lease.
 *
 * Invariants: nothing is answered from a lease that was ended, has lapsed or is no longer fresh;
 * every piece is checked before it is delivered, and where one is wrong the core delivers the rest.
 */
import { join } from 'node:path';
import { CodedError, type ResourceRequest, type ResourceResponse } from '@peerage/sdk';
import { BoundedMap } from '../../base/bounded.js';
import type { OpenReply } from '../channel.js';
import { IN_DIRECTORY, LEASES_MAX, type LeaseEvent, type LeaseGrant, machineMs } from '../lease.js';
import { LeasedObject } from './leased-object.js';
import type { Line } from './line.js';

/** Asks the core to deliver itself what a lease could not. */
export type AskCore = (request: ResourceRequest) => Promise<ResourceResponse>;

interface Lease {
  readonly id: number;
  readonly key: string;
  readonly head: Pick<ResourceResponse, 'status' | 'sizeBytes' | 'sha256'>;
  readonly headers: AgingHeaders;
  readonly object: LeasedObject;
  readonly freshUntilMs: number;
  times: number;
  bytes: number;
}

export class Leases {
  private readonly line: Line;
  private readonly directory: string;
  private readonly ask: AskCore;
  private readonly byKey = new Map<string, Lease>();
  private readonly byId = new Map<number, Lease>();
  /** Ended before the reply that grants them was read. */
  private readonly endedAhead = new BoundedMap<number, true>(LEASES_MAX);
  private aliveUntilMs = 0;

  constructor(line: Line, dataDirectory: string, ask: AskCore) {
    this.line = line;
    this.directory = join(dataDirectory, IN_DIRECTORY);
    this.ask = ask;
  }

  /** Tells the core that this process can hold leases; without it none is granted. */
  async begin(): Promise<void> {
    await this.line.subscribe('leases.hold', {}, (event) => this.receive(event as LeaseEvent));
  }

  /** The answer to this request, if a lease on it is in force. */
  find(request: ResourceRequest): ResourceResponse | undefined {
    if (this.byKey.size === 0) return undefined;
    const lease = this.byKey.get(keyOf(request));
    return lease !== undefined && this.isInForce(lease) ? this.respond(lease, request) : undefined;
  }

  /** Takes a lease that came with a reply, and answers the request from it. */
  take(request: ResourceRequest, reply: OpenReply, grant: LeaseGrant): ResourceResponse {
    const { status, headers, sizeBytes, sha256 } = reply;
    const { id, freshUntilMs, aliveUntilMs } = grant;
    const path = join(this.directory, grant.file);
    const lease: Lease = {
      id,
      key: keyOf(request),
      head: { status, sizeBytes, sha256 },
      headers: new AgingHeaders(headers),
      object: new LeasedObject(path, sizeBytes ?? 0, Buffer.from(grant.hashes)),
      freshUntilMs,
      times: 0,
      bytes: 0,
    };
    this.aliveUntilMs = Math.max(this.aliveUntilMs, aliveUntilMs);
    if (!this.endedAhead.delete(id)) {
      const older = this.byKey.get(lease.key);
      if (older !== undefined) this.forget(older.id);
      this.byKey.set(lease.key, lease);
      this.byId.set(id, lease);
    }
    return this.respond(lease, request);
  }

  private isInForce({ id, freshUntilMs }: Lease): boolean {
    return this.byId.has(id) && machineMs() < this.aliveUntilMs && Date.now() < freshUntilMs;
  }

  private respond(lease: Lease, request: ResourceRequest): ResourceResponse {
    const size = lease.head.sizeBytes ?? 0;
    const start = Math.min(request.startByte ?? 0, size);
    const length = request.method === 'HEAD' ? 0 : (request.lengthBytes ?? size);
    const end = Math.min(start + length, size);
    lease.times += 1;
    lease.bytes += end - start;
    const replace = (at: number, error: unknown) => {
      return this.replace(lease, request, { startByte: at, lengthBytes: end - at }, error);
    };
    const body = lease.object.read(start, end, { transient: request.transient === true, replace });
    const again = () => (this.isInForce(lease) ? this.respond(lease, request) : undefined);
    const { status, sizeBytes, sha256 } = lease.head;
    return { status, sizeBytes, sha256, headers: lease.headers.now(), source: 'hit', body, again };
  }

  /** The bytes that the lease's own copy no longer has: from the core, which sees to the copy. */
  private async *replace(
    lease: Lease,
    request: ResourceRequest,
    part: Pick<ResourceRequest, 'startByte' | 'lengthBytes'>,
    cause: unknown,
  ): AsyncGenerator<Uint8Array> {
    this.forget(lease.id);
    void this.line.call('leases.broken', { id: lease.id }).catch(() => undefined);
    const again = await this.ask({ ...request, ...part });
    try {
      if (again.sha256 === lease.head.sha256) return yield* again.body;
    } finally {
      await again.body[Symbol.asyncIterator]().return?.();
    }
    throw new CodedError('E_OBJECT_CORRUPT', `the stored copy of ${request.url} is damaged`, {
      action: 'ask again',
      cause,
    });
  }

  private receive(event: LeaseEvent): void {
    if (event.type === 'alive') {
      this.aliveUntilMs = event.untilMs;
      this.report();
      return;
    }
    for (const id of event.ids) if (!this.forget(id)) this.endedAhead.set(id, true);
    void this.line.call('leases.ended', { round: event.round }).catch(() => undefined);
  }

  private forget(id: number): boolean {
    const lease = this.byId.get(id);
    if (lease === undefined) return false;
    this.byId.delete(id);
    if (this.byKey.get(lease.key) === lease) this.byKey.delete(lease.key);
    lease.object.dispose();
    return true;
  }

  /** What was delivered is the core's to know: what is used is not evicted. */
  private report(): void {
    const used = [...this.byId.values()].filter(({ times }) => times > 0);
    if (used.length === 0) return;
    const uses = used.map(({ id, times, bytes }) => [id, times, bytes]);
    for (const lease of used) Object.assign(lease, { times: 0, bytes: 0 });
    void this.line.call('leases.used', { uses }).catch(() => undefined);
  }
}

/** Requests with the same key get the same answer; which part of it is no part of the key. */
function keyOf({ url, headers = {}, policy = {} }: ResourceRequest): string {
  let key = url;
  for (const name in headers) key += `\n${name}:${headers[name]}`;
  return `${key}\n${JSON.stringify(policy)}`;
}

/** The headers of a stored answer, whose `age` grows. The same list within a second. */
class AgingHeaders {
  private readonly grantedAt = Date.now();
  private readonly first: ResourceResponse['headers'];
  private readonly age: number;
  private grownBy = 0;
  private current: ResourceResponse['headers'];

  constructor(headers: ResourceResponse['headers']) {
    this.first = headers;
    this.current = headers;
    this.age = Number(headers.find(([name]) => name === 'age')?.[1] ?? 0);
  }

  now(): ResourceResponse['headers'] {
    const grownBy = Math.max(0, Math.floor((Date.now() - this.grantedAt) / 1000));
    if (grownBy !== this.grownBy) {
      this.grownBy = grownBy;
      const age = ['age', String(this.age + grownBy)] as const;
      this.current = this.first.map((pair) => (pair[0] === 'age' ? age : pair));
    }
    return this.current;
  }
}
