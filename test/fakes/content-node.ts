/** The content shell of a node, whole and real, on a made-up LAN and a clock of the test's. */
import { readHours } from '@peerage/core/base/hours.js';
import { Fetch } from '@peerage/core/transfer/fetch.js';
import { AddressGuard } from '@peerage/core/transfer/guard.js';
import { Manners } from '@peerage/core/transfer/manners.js';
import { OriginFetcher } from '@peerage/core/transfer/origin.js';
import { PeerFetcher, type PeerTimes } from '@peerage/core/transfer/peer-fetch.js';
import { RequestPath } from '@peerage/core/transfer/request.js';
import { ObjectStore } from '@peerage/core/transfer/store.js';
import type { Identity } from '@peerage/core/trust/authority.js';
import type { ResourceRequest, ResourceResponse } from '@peerage/sdk';
import { AdjustableClock } from './clock.js';
import { collect, sha256Of } from './content.js';
import { FakeLan } from './lan.js';
import { RecordingLogger } from './log.js';
import { member } from './members.js';
import { keyringOf } from './peers.js';

export interface ContentNodeOptions {
  readonly identity?: Identity;
  readonly internet?: boolean;
  readonly quotaBytes?: number;
  readonly bytesPerSecond?: number;
  readonly hours?: string;
  readonly extraCa?: string;
  readonly times?: PeerTimes;
}

export class ContentNode {
  readonly lan = new FakeLan();
  readonly clock = new AdjustableClock();
  readonly directory: string;
  readonly logger: RecordingLogger;
  readonly store: ObjectStore;
  readonly path: RequestPath;
  readonly manners: Manners;
  private readonly peers: PeerFetcher;

  private constructor(
    directory: string,
    store: ObjectStore,
    logger: RecordingLogger,
    options: ContentNodeOptions,
  ) {
    const { clock } = this;
    this.directory = directory;
    const identity = options.identity ?? member('asker');
    const keyring = keyringOf(identity);
    const guard = new AddressGuard(['127.0.0.0/8']);
    const origin = new OriginFetcher({ guard, upstreamProxy: '', extraCa: options.extraCa ?? '' });
    const { bytesPerSecond = 0, hours = '' } = options;
    const rules = { clock, bytesPerSecond, hours: readHours(hours), peering: this.lan };
    this.manners = new Manners(rules);
    this.store = store;
    this.logger = logger;
    this.peers = new PeerFetcher(identity, keyring, (kid) => this.lan.locate(kid), options.times);
    const fetch = new Fetch({
      store,
      origin,
      peers: this.peers,
      peering: this.lan,
      identity,
      keyring,
      clock,
      logger,
      internet: options.internet ?? true,
      manners: this.manners,
    });
    this.path = new RequestPath({
      store,
      fetch,
      guard,
      clock,
      logger,
      flightPath: (href, variant) => `/f/${sha256Of(Buffer.from(`${href} ${variant}`))}`,
      nodeName: identity.name,
    });
  }

  static async start(directory: string, options: ContentNodeOptions = {}): Promise<ContentNode> {
    const logger = new RecordingLogger();
    const quotaBytes = options.quotaBytes ?? 1e9;
    const store = await ObjectStore.open({ directory, quotaBytes, logger });
    return new ContentNode(directory, store, logger, options);
  }

  open(url: string, request: Partial<ResourceRequest> = {}): Promise<ResourceResponse> {
    return this.path.open('test', { url, ...request });
  }

  /** Opens and reads to the end: where it came from, and the bytes. */
  async get(
    url: string,
    request: Partial<ResourceRequest> = {},
  ): Promise<{ source: string; status: number; bytes: Buffer; headers: Map<string, string> }> {
    const { source, status, body, headers } = await this.open(url, request);
    return { source, status, bytes: await collect(body), headers: new Map(headers) };
  }

  /** Resolves when no download is in progress any more. */
  async settled(): Promise<void> {
    while (this.path.downloads().length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async close(): Promise<void> {
    await this.settled();
    this.peers.close();
    await this.store.close();
  }
}
