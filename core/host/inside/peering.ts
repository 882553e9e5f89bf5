/** `PeeringService` in the plugin's process: calls over the line, bodies over tickets, leases and files. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Announcement,
  type Disposable,
  type FoundResource,
  type OriginRoute,
  PeeringService,
  type Publication,
  type Published,
  type ResourceProgress,
  type ResourceRequest,
  type ResourceResponse,
  type ResourceSource,
  type UploadRequest,
  type UploadResponse,
} from '@peerage/sdk';
import { type OpenReply, OUT_DIRECTORY } from '../channel.js';
import { redeem } from '../redeem.js';
import { Leases } from './leases.js';
import type { Line } from './line.js';

/** Before the core has told any. */
const NO_PROGRESS: ResourceProgress = {
  receivedBytes: 0,
  totalBytes: undefined,
  bytesPerSecond: 0,
  from: '',
  waiting: true,
};

export class RemotePeering extends PeeringService {
  private readonly line: Line;
  private readonly ticketSocket: string;
  private readonly dataDirectory: string;
  private readonly leases: Leases;

  constructor(line: Line, ticketSocket: string, dataDirectory: string) {
    super();
    this.line = line;
    this.ticketSocket = ticketSocket;
    this.dataDirectory = dataDirectory;
    this.leases = new Leases(line, dataDirectory, (request) => this.ask(request, true));
    // Without leases every request is a call: slower, not wrong.
    void this.leases.begin().catch(() => undefined);
  }

  override async open(request: ResourceRequest): Promise<ResourceResponse> {
    const { signal, onProgress, ...plain } = request;
    if (onProgress === undefined) return this.leases.find(request) ?? this.ask(request);
    let last = NO_PROGRESS;
    const told = (value: unknown) => {
      last = value as ResourceProgress;
      onProgress(last);
    };
    const argument = { ...plain, progress: true, unleased: true };
    const { value, end } = await this.line.watch('peering.open', argument, told, signal);
    const response = this.response(value as OpenReply);
    // Events and bytes travel apart: the last word is said here, where the body has ended.
    const body = endingWith(response.body, end, (receivedBytes) => {
      if (last.receivedBytes >= receivedBytes) return;
      const totalBytes = response.sizeBytes ?? receivedBytes;
      onProgress({ ...last, receivedBytes, totalBytes, waiting: false });
    });
    return { ...response, body };
  }

  /** @param unleased the core shall deliver it itself */
  private async ask(request: ResourceRequest, unleased = false): Promise<ResourceResponse> {
    const { signal, onProgress: _, ...plain } = request;
    const argument = unleased ? { ...plain, unleased } : plain;
    const reply = (await this.line.call('peering.open', argument, signal)) as OpenReply;
    const { lease } = reply;
    return lease === undefined ? this.response(reply) : this.leases.take(request, reply, lease);
  }

  override find(request: Pick<ResourceRequest, 'url' | 'headers'>) {
    const { url, headers } = request;
    const argument = { url, ...(headers === undefined ? {} : { headers }) };
    return this.line.call('peering.find', argument) as Promise<FoundResource | undefined>;
  }

  /** The bytes wait in a file of the plugin's own directory until the core has taken them. */
  override async publish({ body, ...publication }: Publication): Promise<Published> {
    const directory = join(this.dataDirectory, OUT_DIRECTORY);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const name = randomBytes(12).toString('hex');
    const path = join(directory, name);
    try {
      const file = await open(path, 'wx', 0o600);
      try {
        for await (const chunk of body instanceof Uint8Array ? [body] : body) {
          await file.write(chunk);
        }
      } finally {
        await file.close();
      }
      return (await this.line.call('peering.publish', { ...publication, file: name })) as Published;
    } finally {
      await rm(path, { force: true });
    }
  }

  override upload(request: UploadRequest): Promise<UploadResponse> {
    return this.line.call('peering.upload', request) as Promise<UploadResponse>;
  }

  override async announce(name: string, values: Readonly<Record<string, string>>): Promise<void> {
    await this.line.call('peering.announce', { name, values });
  }

  override onAnnouncement(listener: (announcement: Announcement) => void): Promise<Disposable> {
    return this.line.subscribe('peering.onAnnouncement', undefined, (value) =>
      listener(value as Announcement),
    );
  }

  override route(host: string, port: number): Promise<OriginRoute> {
    return this.line.call('peering.route', { host, port }) as Promise<OriginRoute>;
  }

  private response({ inline, ticket, source, ...head }: OpenReply): ResourceResponse {
    const body = inline === undefined ? redeem(this.ticketSocket, ticket ?? '') : once(inline);
    return { ...head, source: source as ResourceSource, body };
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** The same body; `end` is called when it has ended, failed or was closed, `whole` if it is whole. */
async function* endingWith(
  body: AsyncIterable<Uint8Array>,
  end: () => void,
  whole: (sizeBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  try {
    for await (const chunk of body) {
      sizeBytes += chunk.length;
      yield chunk;
    }
    whole(sizeBytes);
  } finally {
    end();
  }
}
