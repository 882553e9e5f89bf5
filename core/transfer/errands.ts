/**
 * The side of a node without Internet (PROTOCOL §5.5): has the provider of the service get what no
 * peer has, and follows that download; has it send declared uploads. When the provider dies, the
 * next one is asked, and the download goes on where it was.
 *
 * Invariant: an errand is tried a bounded number of times; what it brings is verified like
 * anything else from a peer.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { CodedError, type UploadRequest, type UploadResponse } from '@peerage/sdk';
import { ERRAND_HEAD_MAX } from '../ports/errands.js';
import type { PeerEndpoint } from '../ports/ports.js';
import type { FlightSource, PeerSource } from '../protocol/effect.js';
import type { RetrievalResult } from '../protocol/retrieval.js';
import type { Ask } from './ask.js';
import type { Errand } from './errand-desk.js';
import { readCopy } from './landed-copy.js';
import type { PeerFetcher } from './peer-fetch.js';

/** Providers that are tried for one download; each has died or refused. */
const TRIES_MAX = 12;
/** Between two tries: an election takes this long. */
const PAUSE_MS = 250;
const FLIGHT_PATH = /^\/f\/[0-9a-f]{64}$/;

export interface ErrandsOptions {
  readonly peers: Pick<PeerFetcher, 'errand'>;
  /** The live provider of a service, if it is another node. */
  readonly provider: (service: string) => PeerEndpoint | undefined;
}

export class Errands {
  private readonly options: ErrandsOptions;

  constructor(options: ErrandsOptions) {
    this.options = options;
  }

  /**
   * Has it got from the Internet; `take` takes it from where the provider says, from the last
   * verified byte on. False if no provider did.
   */
  async fetch(
    ask: Ask,
    take: (source: PeerSource | FlightSource) => Promise<RetrievalResult>,
    triesMax = TRIES_MAX,
  ): Promise<boolean> {
    const { service, url, headers, policy } = ask;
    const errand = { service, url, method: 'GET', headers, policy } as const;
    for (let tries = 0; tries < triesMax; tries += 1) {
      if (tries > 0) await pause(PAUSE_MS, undefined, { ref: false });
      const provider = this.options.provider(service);
      const source = provider === undefined ? undefined : await this.ask(provider, errand);
      if (source === 'refused') return false;
      if (source !== undefined && (await take(source)) === 'ok') return true;
    }
    return false;
  }

  /** Has a declared upload sent. @throws CodedError `E_NO_INTERNET` */
  async upload(service: string, request: UploadRequest): Promise<UploadResponse> {
    const { url, method, headers = {}, body } = request;
    const provider = this.options.provider(service);
    if (provider === undefined) throw noWay(url, 'there is no provider that could send it');
    const head = encode({ service, url, method, headers, policy: {} });
    const answer = await this.options.peers.errand(provider, head, body).catch(() => undefined);
    if (answer?.status !== 200) {
      throw noWay(url, `the provider ${provider.name} answered ${answer?.status ?? 'nothing'}`);
    }
    const said = readUploaded(answer.body);
    if (said === undefined) throw noWay(url, `the provider ${provider.name} answered nonsense`);
    return said;
  }

  private async ask(
    provider: PeerEndpoint,
    errand: Errand,
  ): Promise<PeerSource | FlightSource | 'refused' | undefined> {
    const head = encode(errand);
    if (head.length > ERRAND_HEAD_MAX) return 'refused';
    const answer = await this.options.peers
      .errand(provider, head, new Uint8Array())
      .catch(() => undefined);
    if (answer?.status === 404) return 'refused';
    if (answer?.status !== 200) return undefined;
    try {
      return sourceOf(provider, answer.body);
    } catch {
      // No answer that makes sense: the next try may find another provider.
      return undefined;
    }
  }
}

/** Where the bytes are; `undefined` if the answer makes no sense. @throws PeerFault */
function sourceOf(provider: PeerEndpoint, body: Buffer): PeerSource | FlightSource | undefined {
  const { kid, name, address, port } = provider;
  const { flight, copy } = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  if (typeof flight === 'string' && FLIGHT_PATH.test(flight))
    return { kind: 'flight', kid, name, address, port, flight };
  if (typeof copy !== 'object') return undefined;
  const offered = readCopy(Buffer.from(JSON.stringify(copy)));
  return { kind: 'peer', kid, name, address, port, copy: offered };
}

/** What the origin answered to an upload, as the provider tells it; `undefined` for anything else. */
function readUploaded(bytes: Buffer): UploadResponse | undefined {
  try {
    const { status, headers, body } = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
    const isText = (value: unknown) => typeof value === 'string';
    const isPair = (pair: unknown) =>
      Array.isArray(pair) && pair.length === 2 && pair.every(isText);
    if (!Number.isInteger(status) || !Array.isArray(headers) || !headers.every(isPair))
      return undefined;
    if (typeof body !== 'string') return undefined;
    const pairs = headers as Array<[string, string]>;
    return { status: Number(status), headers: pairs, body: Buffer.from(body, 'base64') };
  } catch {
    return undefined;
  }
}

function encode(errand: Errand): string {
  return Buffer.from(JSON.stringify(errand)).toString('base64url');
}

function noWay(url: string, why: string): CodedError {
  return new CodedError('E_NO_INTERNET', `${url}: this node may not use the Internet, and ${why}`, {
    action: 'see `peerage elections`; the plugin must be enabled and granted on the provider, too',
  });
}
