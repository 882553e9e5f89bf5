/** The content shell as a test scripts it: the fake of `ContentTransfer`, for tests of the others. */
import type {
  CacheEntryStatus,
  ContentTransfer,
  DownloadStatus,
  TransferStatus,
} from '@peerage/core/ports/ports.js';
import type { WhyRecord } from '@peerage/core/ports/why.js';
import type { Copies } from '@peerage/core/protocol/context.js';
import { CodedError, type ResourceRequest, type ResourceResponse } from '@peerage/sdk';

export class FakeTransfer implements ContentTransfer {
  /** What was asked for, by service. */
  readonly opened: Array<{ readonly service: string; readonly request: ResourceRequest }> = [];
  private readonly answers = new Map<
    string,
    (request: ResourceRequest) => Promise<ResourceResponse> | ResourceResponse
  >();
  readonly copies: Copies = { find: () => undefined, downloading: () => undefined };

  on(
    url: string,
    answer: (request: ResourceRequest) => Promise<ResourceResponse> | ResourceResponse,
  ): void {
    this.answers.set(url, answer);
  }

  /** Answers with these bytes, as if they came from there. */
  serve(url: string, content: Buffer, source: ResourceResponse['source'] = 'hit'): void {
    this.on(url, () => ({
      status: 200,
      headers: [['etag', '"a"']],
      source,
      sizeBytes: content.length,
      sha256: undefined,
      body: (async function* () {
        yield content;
      })(),
    }));
  }

  async open(service: string, request: ResourceRequest): Promise<ResourceResponse> {
    this.opened.push({ service, request });
    const answer = this.answers.get(request.url);
    if (answer === undefined) throw new CodedError('E_ORIGIN_UNREACHABLE', 'nobody is there');
    return answer(request);
  }

  async route(host: string, port: number): Promise<{ addresses: string[]; port: number }> {
    if (host === 'denied.example') throw new CodedError('E_ADDRESS_DENIED', 'it is local');
    return { addresses: ['192.0.2.7'], port };
  }

  onObjectsGone(): { dispose(): void } {
    return { dispose: () => undefined };
  }

  downloads(): DownloadStatus[] {
    return [];
  }

  entries(): CacheEntryStatus[] {
    return [];
  }

  why(): WhyRecord[] {
    return [];
  }

  async pin(): Promise<number> {
    return 0;
  }

  async purge(): Promise<number> {
    return 0;
  }

  status(): TransferStatus {
    return { objects: 0, storedBytes: 0, quotaBytes: 0, counters: {} };
  }
}
