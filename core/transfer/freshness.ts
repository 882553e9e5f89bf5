/**
 * HTTP caching rules (RFC 9111) for a shared cache, on top of http-cache-semantics, plus what a
 * plugin's policy adds: immutable URLs, what may leave the node. Pure: time comes in.
 */
import { createHash } from 'node:crypto';
import type { ResourcePolicy } from '@peerage/sdk';
import CachePolicy from 'http-cache-semantics';

export type Headers = Readonly<Record<string, string>>;

/** Request headers that make a variant (§7); a response that varies by others is not stored. */
const VARIANT_HEADERS = ['accept', 'accept-encoding', 'accept-language', 'origin'];
/** An immutable copy is taken for fresh this long. */
const IMMUTABLE_MS = 365 * 24 * 60 * 60_000;
const OPTIONS = { shared: true, ignoreCargoCult: true } as const;

/** The variant of a request: a short hash of the headers that responses usually vary by. */
export function requestVariant(headers: Headers): string {
  const values = VARIANT_HEADERS.map((name) => headers[name] ?? '');
  return createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, 16);
}

/** The variant under which a response is kept; `undefined` if it varies by something else. */
export function responseVariant(response: Headers, variant: string): string | undefined {
  const names = (response['vary'] ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const varying = names.filter((name) => name !== '');
  if (varying.length === 0) return '*';
  return varying.every((name) => VARIANT_HEADERS.includes(name)) ? variant : undefined;
}

/** Requests whose answers are for one client only. */
export function isPersonal(request: Headers): boolean {
  return request['authorization'] !== undefined || request['cookie'] !== undefined;
}

function policyAt(
  url: string,
  request: Headers,
  status: number,
  response: Headers,
  at: number,
): CachePolicy {
  const fresh = new CachePolicy(
    { url, method: 'GET', headers: { ...request } },
    { status, headers: { ...response } },
    OPTIONS,
  );
  return CachePolicy.fromObject({ ...fresh.toObject(), t: at });
}

/** What is known of a stored response. */
export interface StoredResponse {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly fetchedAt: number;
}

/** Whether a response may be stored at all; an immutable URL needs no headers that say so. */
export function isStorable(
  url: string,
  request: Headers,
  status: number,
  response: Headers,
  immutable: boolean,
): boolean {
  if (status !== 200 || isPersonal(request)) return false;
  if (/\bno-store\b/i.test(request['cache-control'] ?? '')) return false;
  if (response['set-cookie'] !== undefined) return false;
  if (/\b(private|no-store)\b/i.test(response['cache-control'] ?? '')) return false;
  if (immutable || Object.keys(validators(response)).length > 0) return true;
  return policyAt(url, request, status, response, 0).storable();
}

/** Until when (milliseconds since 1970) a response is fresh. */
export function expiresAt(response: StoredResponse, immutable: boolean): number {
  if (immutable) return response.fetchedAt + IMMUTABLE_MS;
  const { url, status, headers, fetchedAt } = response;
  const policy = policyAt(url, {}, status, headers, fetchedAt);
  const lifetimeMs = (policy.maxAge() - initialAgeSeconds(headers)) * 1000;
  return Math.round(fetchedAt + Math.max(0, Math.min(lifetimeMs, IMMUTABLE_MS)));
}

/** Whether a stored response answers this request without asking the origin. */
export function isFresh(
  response: StoredResponse,
  request: Headers,
  immutable: boolean,
  now: number,
): boolean {
  return now < freshUntil(response, request, immutable);
}

/** Until when (milliseconds since 1970) a stored response answers this request; 0 for never. */
export function freshUntil(response: StoredResponse, request: Headers, immutable: boolean): number {
  if (immutable) return Number.MAX_SAFE_INTEGER;
  const control = request['cache-control'] ?? '';
  if (/\bno-cache\b/i.test(control) || request['pragma'] === 'no-cache') return 0;
  const wanted = (name: string) => {
    const found = new RegExp(`\\b${name}="?(\\d{1,10})`, 'i').exec(control);
    return found === null ? undefined : Number(found[1]);
  };
  const { headers, fetchedAt } = response;
  const minFresh = wanted('min-fresh') ?? 0;
  // Fresh for 30 s means that exactly 30 s are enough.
  const until = expiresAt(response, false) - (minFresh > 0 ? minFresh * 1000 - 1 : 0);
  const ageMax = wanted('max-age');
  if (ageMax === undefined) return until;
  // Ages are whole seconds: the last one that will do lasts until the next begins.
  return Math.min(until, fetchedAt + (ageMax + 1 - initialAgeSeconds(headers)) * 1000);
}

/** How old a response already was when it came to us: the `Age` that other caches gave it. */
function initialAgeSeconds(headers: Headers): number {
  const age = headers['age'] ?? '';
  return /^\d{1,10}$/.test(age) ? Number(age) : 0;
}

function ageSeconds({ headers, fetchedAt }: StoredResponse, now: number): number {
  return initialAgeSeconds(headers) + Math.max(0, Math.floor((now - fetchedAt) / 1000));
}

/** The headers of a stored response as they are delivered now: with its age and its true size. */
export function deliveredHeaders(
  response: StoredResponse & { readonly sizeBytes: number },
  now: number,
): Record<string, string> {
  const headers = storableHeaders(response.headers);
  headers['age'] = String(ageSeconds(response, now));
  if (headers['content-length'] !== undefined) {
    headers['content-length'] = String(response.sizeBytes);
  }
  return headers;
}

/** Headers by which the origin can say that a stored response is still good (RFC 9110 §13). */
export function validators(headers: Headers): Record<string, string> {
  const found: Record<string, string> = {};
  if (headers['etag'] !== undefined) found['if-none-match'] = headers['etag'];
  if (headers['last-modified'] !== undefined) found['if-modified-since'] = headers['last-modified'];
  return found;
}

/** Last-Modified says enough only if it was this long ago when the response was made. */
const STRONG_AFTER_MS = 60_000;

/** A validator strong enough to continue a broken download with (RFC 9110 §8.8.2.2, §13.1.5). */
export function rangeValidator(headers: Headers): string | undefined {
  const { etag, date, 'last-modified': modified } = headers;
  if (etag !== undefined && !etag.startsWith('W/')) return etag;
  if (modified === undefined) return undefined;
  const made = date === undefined ? Date.now() : Date.parse(date);
  return made - Date.parse(modified) >= STRONG_AFTER_MS ? modified : undefined;
}

/** The stored headers after a 304 (RFC 9111 §4.3.4). */
export function refreshed(stored: Headers, update: Headers): Record<string, string> {
  const kept = { ...stored };
  delete kept['age'];
  for (const [name, value] of Object.entries(update)) {
    if (name !== 'content-length' && name !== 'content-encoding') kept[name] = value;
  }
  return kept;
}

/** Whether a stale response may be used when the origin fails (RFC 5861; a day by default). */
export function usableOnError(response: StoredResponse, now: number): boolean {
  const control = response.headers['cache-control'] ?? '';
  if (/\b(must-revalidate|proxy-revalidate|no-cache)\b/i.test(control)) return false;
  const allowed = /\bstale-if-error=(\d{1,10})/i.exec(control)?.[1];
  // s-maxage says proxy-revalidate too (RFC 9111 §5.2.2.10), unless the origin allows this itself.
  if (allowed === undefined && /\bs-maxage\b/i.test(control)) return false;
  const seconds = Number(allowed ?? 86_400);
  return now <= expiresAt(response, false) + seconds * 1000;
}

/** Whether peers may have what came from the origin, or be asked for it (§7). */
export function isShareable(tls: boolean, policy: ResourcePolicy): boolean {
  if (policy.unshared === true) return false;
  return tls || policy.digest !== undefined || policy.clientVerifies === true;
}

const UNSTORED = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'set-cookie',
  'set-cookie2',
  'alt-svc',
  'clear-site-data',
  'strict-transport-security',
  'public-key-pins',
  'via',
  'x-cache',
]);
/** A value that can be sent on: no control characters, nothing beyond one byte a character. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The headers of a response that are kept and passed on; names in lower case. */
export function storableHeaders(headers: Headers): Record<string, string> {
  const listed = (headers['connection'] ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const kept = Object.entries(headers).filter(([name, value]) => {
    if (UNSTORED.has(name) || listed.includes(name)) return false;
    return /^[a-z0-9-]{1,64}$/.test(name) && VALUE.test(value);
  });
  return Object.fromEntries(kept);
}

/** A page where a package was asked for: a portal's or an error's, not for ever. */
export function isPage(headers: Headers): boolean {
  return /^text\/html\b/i.test(headers['content-type'] ?? '');
}
