/**
 * A request, checked and normalised: the first step of the request path. Everything later in the
 * path relies on it: an absolute URL (http, https, or a scheme of a plugin's own) without fragment
 * or credentials, lower-case headers without hop-by-hop ones, whole byte numbers.
 */
import { CodedError, type ResourcePolicy, type ResourceRequest } from '@peerage/sdk';
import { type Headers, isPersonal, isShareable, requestVariant } from './freshness.js';

/** Longest URL in characters; longer ones cannot be asked for in one packet, nor need be. */
const URL_LENGTH_MAX = 8192;
/** Longest URL that fits a request packet (PROTOCOL §2.1). */
const PACKET_URL_LENGTH_MAX = 700;

/** Schemes that programs give a meaning of their own; every other one is the web's or a plugin's. */
const FOREIGN_SCHEMES = new Set([
  'file:',
  'data:',
  'javascript:',
  'blob:',
  'about:',
  'ftp:',
  'unix:',
  'ws:',
  'wss:',
]);

/** Between two hops, or ours to decide: never forwarded. */
export const NOT_FORWARDED: ReadonlySet<string> = new Set(
  `host connection keep-alive proxy-connection proxy-authorization te trailer transfer-encoding
  upgrade expect content-length if-none-match if-modified-since if-match if-unmodified-since
  if-range range`.split(/\s+/),
);
/** Forwarded in a request whose answer may be kept: each is part of the variant or harmless. */
const SHARED_HEADERS = new Set(
  'accept accept-encoding accept-language origin user-agent cache-control pragma via'.split(' '),
);
/** Told to nobody in such a request: they describe the client, not what it wants. */
const DROPPED_HEADER =
  /^(dnt|priority|referer|save-data|upgrade-insecure-requests|sec-.*|npm-.*|pacote-.*)$/;

/** A normalised request. */
export interface Ask {
  readonly service: string;
  readonly url: string;
  readonly method: 'GET' | 'HEAD';
  /** The client's headers that may go to an origin. */
  readonly headers: Headers;
  readonly variant: string;
  readonly policy: ResourcePolicy;
  /** For one client only: neither stored nor shared nor collapsed. */
  readonly personal: boolean;
  /** Whether peers may be asked. */
  readonly askPeers: boolean;
  readonly startByte: number;
  readonly endByte: number | undefined;
  /** Requests with the same key may share one download. */
  readonly key: string;
}

/** @throws CodedError `E_URL_INVALID`, `E_RANGE_INVALID` */
export function normalise(service: string, request: ResourceRequest): Ask {
  const url = parseUrl(request.url);
  const all = request.headers ?? {};
  const headers = Object.fromEntries(
    Object.entries(all)
      .map(([name, value]) => [name.toLowerCase(), value] as const)
      .filter(([name]) => !NOT_FORWARDED.has(name)),
  );
  const policy = request.policy ?? {};
  // A header that we do not know may change the answer: what it brings is for this client alone.
  const known = Object.keys(headers).every((name) => {
    return SHARED_HEADERS.has(name) || DROPPED_HEADER.test(name);
  });
  const personal = !known || isPersonal(headers) || policy.unshared === true;
  // What is published under a scheme of a plugin's own was never on a cleartext line.
  const tls = url.protocol !== 'http:';
  const variant = requestVariant(headers);
  const { startByte = 0, lengthBytes } = request;
  if (!isCount(startByte) || (lengthBytes !== undefined && !isCount(lengthBytes))) {
    throw new CodedError(
      'E_RANGE_INVALID',
      `bytes ${startByte}+${lengthBytes} cannot be asked for`,
      {
        expected: 'whole, non-negative numbers of bytes',
      },
    );
  }
  return {
    service,
    url: url.href,
    method: request.method ?? 'GET',
    headers: personal ? headers : sharedOnly(headers),
    variant,
    policy,
    personal,
    askPeers: !personal && url.href.length <= PACKET_URL_LENGTH_MAX,
    startByte,
    endByte: lengthBytes === undefined ? undefined : startByte + lengthBytes,
    key: `${url.href} ${variant} ${policy.digest?.hex ?? ''} ${isShareable(tls, policy)}`,
  };
}

function sharedOnly(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => SHARED_HEADERS.has(name)));
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text);
    const plain = url.username === '' && url.password === '' && text.length <= URL_LENGTH_MAX;
    if (plain && !FOREIGN_SCHEMES.has(url.protocol)) {
      url.hash = '';
      return url;
    }
  } catch {
    // Falls through to the one error for all bad URLs.
  }
  throw new CodedError('E_URL_INVALID', `${text.slice(0, 200)} cannot be fetched`, {
    expected: `an absolute URL that can be shared, without credentials, at most ${URL_LENGTH_MAX} characters`,
  });
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** A URI of a plugin's own scheme: the Internet has no answer to it. @throws `E_NOT_PUBLISHED` */
export function demandPublic(url: string): void {
  if (!/^(?!https?:)[a-z][a-z0-9+.-]+:[^/0-9]/.test(url)) return;
  throw new CodedError('E_NOT_PUBLISHED', `${url}: no node that is there has published it`);
}
