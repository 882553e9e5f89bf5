/**
 * `peering.open`: the resource's head in the reply, its body under a ticket, or in the reply too
 * where it is small and at hand, or left to the plugin by a lease; the progress as events.
 */
import {
  errorCode,
  type ResourceProgress,
  type ResourceRequest,
  type ResourceResponse,
} from '@peerage/sdk';
import type { ContentTransfer } from '../../ports/ports.js';
import type { OpenReply } from '../channel.js';
import type { LeaseGrant } from '../lease.js';
import type { TicketOffice } from '../tickets.js';
import { type Call, type CallHandler, plainUrl, textOf } from './call.js';

/** Bodies up to this size that are at hand travel with the reply: a ticket costs more. */
const INLINE_BYTES_MAX = 32 * 1024;
/** Progress is told ten times a second: more is not seen. */
const PROGRESS_EVERY_MS = 100;
/** Before a URI that nobody answered for is asked for once more. */
const OWN_URI_PAUSES_MS = [100, 500];

export interface OpenOptions {
  readonly transfer: ContentTransfer;
  readonly tickets: TicketOffice;
  /** The service under which a URL is asked for; starts the plugin that waits for it. */
  readonly serviceFor: (asking: string, url: string) => string;
}

export function openCall({ transfer, tickets, serviceFor }: OpenOptions): CallHandler {
  return async (call) => {
    const { caller, argument, signal } = call;
    const { grant, plugin } = caller;
    const url = plainUrl(textOf(call, 'url'));
    grant.demand(url, 'urls', 'publishes');
    const service = serviceFor(plugin.manifest.id, url);
    const meter = argument['progress'] === true ? new Meter(call, transfer, url) : undefined;
    const { progress: _, unleased, ...plain } = argument;
    const request = { ...plain, signal } as unknown as ResourceRequest;
    try {
      const response = await openPatiently(transfer, service, request);
      grant.counters.add(`requests-${response.source}`);
      if (signal.aborted) await response.body[Symbol.asyncIterator]().return?.();
      const isLeasable = response.source === 'hit' && unleased !== true;
      const lease = isLeasable ? await caller.leases?.grant(request) : undefined;
      meter?.begin(response.sizeBytes);
      if (lease !== undefined) {
        meter?.add(response.sizeBytes ?? 0);
        meter?.end();
        return await withLease(response, lease);
      }
      const passing = {
        bytes: (count: number) => {
          grant.counters.add(`bytes-${response.source}`, count);
          meter?.add(count);
        },
        end: () => meter?.end(),
      };
      return await reply(tickets, watched(response, passing), argument['lengthBytes']);
    } catch (error) {
      meter?.end();
      throw error;
    }
  };
}

/**
 * What is published under a URI of a plugin's own has no origin to fall back to, so an answer that
 * was lost on the LAN must not decide: it is asked for again before it is given up.
 */
async function openPatiently(
  transfer: ContentTransfer,
  service: string,
  request: ResourceRequest,
): Promise<ResourceResponse> {
  for (const pauseMs of OWN_URI_PAUSES_MS) {
    try {
      return await transfer.open(service, request);
    } catch (error) {
      if (errorCode(error) !== 'E_NOT_PUBLISHED' || request.signal?.aborted === true) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
  return transfer.open(service, request);
}

/** The head alone: the plugin reads the body from what was lent. */
async function withLease(
  { body, ...head }: ResourceResponse,
  lease: LeaseGrant,
): Promise<OpenReply> {
  await body[Symbol.asyncIterator]().return?.();
  return { ...head, lease };
}

async function reply(
  tickets: TicketOffice,
  response: ResourceResponse,
  wantedBytes: unknown,
): Promise<OpenReply> {
  const { body, ...head } = response;
  const { source, sizeBytes } = head;
  const lengthBytes = Math.min(Number(wantedBytes ?? Infinity), sizeBytes ?? Infinity);
  const atHand = source === 'hit' || source === 'revalidated' || source === 'stale';
  if (!atHand || lengthBytes > INLINE_BYTES_MAX) return { ...head, ticket: tickets.issue(body) };
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return { ...head, inline: Buffer.concat(chunks) };
}

interface Passing {
  bytes(count: number): void;
  /** Ended well or badly, or was closed. */
  end(): void;
}

/** The same response, its body watched. */
function watched(response: ResourceResponse, passing: Passing): ResourceResponse {
  const source = response.body[Symbol.asyncIterator]();
  const body: AsyncIterableIterator<Uint8Array> = {
    next: async () => {
      try {
        const result = await source.next();
        if (result.done === true) passing.end();
        else passing.bytes(result.value.length);
        return result as IteratorResult<Uint8Array>;
      } catch (error) {
        passing.end();
        throw error;
      }
    },
    return: async () => {
      passing.end();
      await source.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => body,
  };
  return { ...response, body };
}

/** Tells of the progress of one request: the download's while it lasts, else what was delivered. */
class Meter {
  private readonly call: Call;
  private readonly transfer: ContentTransfer;
  private readonly url: string;
  private readonly startedAt = performance.now();
  private readonly timer: NodeJS.Timeout;
  private deliveredBytes = 0;
  private totalBytes: number | undefined;
  private answered = false;
  private last = '';

  constructor(call: Call, transfer: ContentTransfer, url: string) {
    this.call = call;
    this.transfer = transfer;
    this.url = url;
    this.timer = setInterval(() => this.tell(), PROGRESS_EVERY_MS);
    this.timer.unref();
    call.signal.addEventListener('abort', () => clearInterval(this.timer), { once: true });
  }

  /** The head is there. */
  begin(totalBytes: number | undefined): void {
    this.answered = true;
    this.totalBytes = totalBytes;
  }

  add(bytes: number): void {
    this.deliveredBytes += bytes;
  }

  end(): void {
    clearInterval(this.timer);
    if (this.answered) this.tell();
  }

  private tell(): void {
    const row = this.transfer.downloads().find(({ url }) => url === this.url);
    const seconds = Math.max(0.001, (performance.now() - this.startedAt) / 1000);
    const progress: ResourceProgress = {
      receivedBytes: Math.max(row?.receivedBytes ?? 0, this.deliveredBytes),
      totalBytes: row?.totalBytes ?? this.totalBytes,
      bytesPerSecond: row?.bytesPerSecond ?? Math.round(this.deliveredBytes / seconds),
      from: row?.source === 'origin' ? 'origin' : (row?.from ?? ''),
      waiting: row?.follows !== undefined,
    };
    const text = JSON.stringify(progress);
    if (text !== this.last) this.call.emit(progress);
    this.last = text;
  }
}
