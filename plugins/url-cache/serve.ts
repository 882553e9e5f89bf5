/**
 * GET and HEAD through the core: one resource, as this client wants it.
 *
 * Flow: policy ─► open ─► compare with the client's copy (304) ─► cut the range (206, 416) ─►
 * pump. The core is asked for the range before anything is known of the resource; where that turns
 * out wrong (another version, unknown size, the last n bytes) it is asked again, the second time
 * before the first is closed, so that a download in progress always has a reader.
 * Invariant: every response of the core is read to its end or closed.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { CodedError, errorCode, type ResourceResponse } from '@peerage/sdk';
import { CACHE_STATUS_HEADER, extendedStatus, statusOfSource } from './cache-status.js';
import { CONDITIONAL_HEADERS, isNotModified, isRangeCurrent } from './conditional.js';
import type { Exchange, Services } from './exchange.js';
import { forward } from './forward.js';
import {
  extendedVia,
  type HeaderPairs,
  headerValue,
  passingRequestHeaders,
  passingResponseHeaders,
  setHead,
} from './headers.js';
import { INTEGRITY_HEADER } from './policy.js';
import { closeBody, pump } from './pump.js';
import { planSlice, resolveSlice, type Slice, type SlicePlan } from './slice.js';

type Part = Partial<Slice>;
type Ask = (part: Part) => Promise<ResourceResponse>;

/** What the answer will be. */
type Verdict =
  | { readonly kind: 'other' | 'not-modified' | 'whole' }
  | { readonly kind: 'unsatisfiable'; readonly sizeBytes: number }
  | { readonly kind: 'slice'; readonly slice: Slice; readonly sizeBytes: number };

/** Refusals that a second try by another way must not get around, or could not. */
const FINAL_CODES = new Set([
  'E_URL_INVALID',
  'E_URL_NOT_GRANTED',
  'E_ADDRESS_DENIED',
  'E_ORIGIN_UNREACHABLE',
  'E_DIGEST_MISMATCH',
  'E_NO_INTERNET',
  'E_ORIGIN_WAITS',
  'E_OUTSIDE_HOURS',
  'E_CANCELLED',
]);

/** Headers that speak of the content, and so not of an answer without any. */
const CONTENT_HEADERS = new Set(['content-type', 'content-encoding', 'content-language']);
/** Headers that speak of all the bytes, and so not of a part of them. */
const WHOLE_HEADERS = new Set(['content-md5', 'content-digest']);
/** Headers that are computed here. */
const COMPUTED_HEADERS = new Set(['content-length', 'content-range', 'via', CACHE_STATUS_HEADER]);

/** Answers a GET or HEAD. */
export async function serve(services: Services, exchange: Exchange): Promise<void> {
  const { request, signal } = exchange;
  const plan = planSlice(request.method === 'GET' ? request.headers.range : undefined);
  const ask = asker(services, exchange);
  let opened: ResourceResponse;
  try {
    opened = await ask(partOf(plan));
  } catch (error) {
    const code = errorCode(error);
    if (FINAL_CODES.has(code) || signal.aborted) throw error;
    // The core itself is in trouble: a client must not be worse off than without it.
    services.refusals.note(error);
    await forward(services, exchange, { reason: 'bypass', detail: code });
    return;
  }
  const verdict = judge(opened, plan, request.headers);
  if (verdict.kind === 'whole') exchange.onWhole(opened, (found) => passingPairs(services, found));
  const resource = await matching(ask, opened, plan, verdict);
  try {
    await send(services, exchange, resource, verdict, plan);
  } finally {
    await closeBody(resource.body);
  }
}

function asker(services: Services, exchange: Exchange): Ask {
  const { request, url, signal } = exchange;
  const headers = passingRequestHeaders(request.headers);
  const policy = services.policies.policyFor(url, headers);
  for (const name of CONDITIONAL_HEADERS) delete headers[name];
  delete headers[INTEGRITY_HEADER];
  delete headers['content-length'];
  headers['via'] = extendedVia(headers['via'], request.httpVersion, services.pseudonym);
  // A known digest is one of the bytes as such; an origin must not compress them.
  if (policy.digest !== undefined) headers['accept-encoding'] = 'identity';
  const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
  // The pump is done with a chunk before it asks for the next.
  const transient = true;
  return (part) =>
    services.peering.open({ url: url.href, method, headers, policy, signal, transient, ...part });
}

function partOf(plan: SlicePlan): Part {
  if (plan.kind !== 'slice') return {};
  const { startByte, lengthBytes } = plan;
  return lengthBytes === undefined ? { startByte } : { startByte, lengthBytes };
}

function judge(resource: ResourceResponse, plan: SlicePlan, headers: IncomingHttpHeaders): Verdict {
  if (resource.status !== 200) return { kind: 'other' };
  if (isNotModified(headers, resource.headers)) return { kind: 'not-modified' };
  const sizeBytes = sizeOf(resource);
  if (sizeBytes === undefined || !isRangeCurrent(headers, resource.headers)) {
    return { kind: 'whole' };
  }
  const slice = resolveSlice(plan, sizeBytes);
  if (slice === undefined) return { kind: 'whole' };
  if (slice === 'unsatisfiable') return { kind: 'unsatisfiable', sizeBytes };
  return { kind: 'slice', slice, sizeBytes };
}

/** The response whose body is the one that the verdict needs: what was opened, or another. */
async function matching(
  ask: Ask,
  opened: ResourceResponse,
  plan: SlicePlan,
  verdict: Verdict,
): Promise<ResourceResponse> {
  const lacksHead = verdict.kind === 'whole' && plan.kind === 'slice';
  const hasSurplus = verdict.kind === 'slice' && plan.kind === 'suffix';
  if (!lacksHead && !hasSurplus) return opened;
  try {
    const again = await ask(hasSurplus ? verdict.slice : {});
    if (isSameVersion(opened, again)) return again;
    await closeBody(again.body);
  } finally {
    await closeBody(opened.body);
  }
  throw new CodedError('E_RESOURCE_CHANGED', 'the resource changed while it was opened', {
    action: 'ask again',
  });
}

function isSameVersion(one: ResourceResponse, other: ResourceResponse): boolean {
  const tags = [one, other].map(({ headers }) => headerValue(headers, 'etag'));
  return one.status === other.status && sizeOf(one) === sizeOf(other) && tags[0] === tags[1];
}

async function send(
  services: Services,
  exchange: Exchange,
  resource: ResourceResponse,
  verdict: Verdict,
  plan: SlicePlan,
): Promise<void> {
  const { response } = exchange;
  const pairs = passingPairs(services, resource);
  if (verdict.kind === 'not-modified') {
    const left = pairs.filter(([name]) => !CONTENT_HEADERS.has(name) && !WHOLE_HEADERS.has(name));
    setHead(response, 304, left);
    response.end();
  } else if (verdict.kind === 'unsatisfiable') {
    const left = pairs.filter(([name]) => !CONTENT_HEADERS.has(name) && !WHOLE_HEADERS.has(name));
    const range = ['content-range', `bytes */${verdict.sizeBytes}`] as const;
    setHead(response, 416, [...left, range, ['content-length', '0']]);
    response.end();
  } else if (verdict.kind === 'slice') {
    const { startByte, lengthBytes } = verdict.slice;
    const last = startByte + lengthBytes - 1;
    const left = pairs.filter(([name]) => !WHOLE_HEADERS.has(name));
    const range = ['content-range', `bytes ${startByte}-${last}/${verdict.sizeBytes}`] as const;
    setHead(response, 206, [...left, range]);
    await sendContent(exchange, resource, lengthBytes);
  } else {
    setHead(response, resource.status, pairs);
    // The core may or may not have cut an error page to the range, so its length is open.
    const isCut = verdict.kind === 'other' && plan.kind === 'slice';
    await sendContent(exchange, resource, isCut ? undefined : sizeOf(resource));
  }
}

async function sendContent(
  exchange: Exchange,
  resource: ResourceResponse,
  lengthBytes: number | undefined,
): Promise<void> {
  const { request, response, signal } = exchange;
  const isBare = resource.status === 204 || resource.status === 304;
  if (lengthBytes !== undefined && !isBare) response.setHeader('content-length', lengthBytes);
  if (isBare || request.method === 'HEAD') response.end();
  else await pump(resource.body, response, { lengthBytes, signal });
}

function passingPairs(services: Services, resource: ResourceResponse): HeaderPairs {
  const pairs = passingResponseHeaders(resource.headers);
  const status = headerValue(pairs, CACHE_STATUS_HEADER);
  return [
    ...pairs.filter(([name]) => !COMPUTED_HEADERS.has(name)),
    ['via', extendedVia(headerValue(pairs, 'via'), '1.1', services.pseudonym)],
    [CACHE_STATUS_HEADER, extendedStatus(status, statusOfSource(resource.source))],
  ];
}

function sizeOf(resource: ResourceResponse): number | undefined {
  if (resource.sizeBytes !== undefined) return resource.sizeBytes;
  const length = headerValue(resource.headers, 'content-length');
  return length !== undefined && /^[0-9]{1,15}$/.test(length) ? Number(length) : undefined;
}
