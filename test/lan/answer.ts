/**
 * One request to the origin and its answer: conditions, ranges, body, counts (RFC 9110 §13, §14).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { UrlCounts } from './counts.js';
import type { Resource } from './resource.js';

const RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/;

/** A part of a resource: from `start` to `end`, exclusive. */
interface Part {
  readonly start: number;
  readonly end: number;
}

/** Answers GET and HEAD; the body ends early only if the client goes away. */
export async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  resource: Resource | undefined,
  counts: UrlCounts,
): Promise<void> {
  const head = request.method === 'HEAD';
  if (head) counts.heads += 1;
  else counts.gets += 1;
  if (resource === undefined) return refuse(response, counts, 404);
  describe(response, resource);
  if (isConditional(request)) counts.conditionals += 1;
  if (isUnchanged(request, resource)) {
    counts.notModified += 1;
    response.writeHead(304).end();
    return;
  }
  const whole = { start: 0, end: resource.sizeBytes };
  const part = wantedPart(request, resource);
  if (part === 'unsatisfiable') {
    response.setHeader('content-range', `bytes */${resource.sizeBytes}`);
    return refuse(response, counts, 416);
  }
  const { start, end } = part ?? whole;
  if (part !== undefined) {
    response.setHeader('content-range', `bytes ${start}-${end - 1}/${resource.sizeBytes}`);
  }
  if (resource.length) response.setHeader('content-length', end - start);
  response.writeHead(part === undefined ? 200 : 206);
  if (head) {
    response.end();
    return;
  }
  counts.bodies += 1;
  if (part !== undefined) counts.partials += 1;
  await send(response, resource.read(start, end), counts);
}

/** Answers with an error and no more. */
export function refuse(response: ServerResponse, counts: UrlCounts, status: number): void {
  counts.failures += 1;
  response.writeHead(status, { 'content-length': 0 }).end();
}

/** Takes an upload in and throws it away. */
export async function swallow(
  request: IncomingMessage,
  response: ServerResponse,
  counts: UrlCounts,
): Promise<void> {
  counts.uploads += 1;
  for await (const chunk of request) counts.uploadedBytes += (chunk as Buffer).length;
  response.writeHead(204).end();
}

function describe(response: ServerResponse, resource: Resource): void {
  response.setHeader('content-type', resource.type);
  if (resource.ranges) response.setHeader('accept-ranges', 'bytes');
  if (resource.etag !== undefined) response.setHeader('etag', resource.etag);
  if (resource.cacheControl !== undefined) {
    response.setHeader('cache-control', resource.cacheControl);
  }
  if (resource.modifiedAt !== undefined) {
    response.setHeader('last-modified', resource.modifiedAt.toUTCString());
  }
}

function isConditional({ headers }: IncomingMessage): boolean {
  return headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined;
}

function isUnchanged({ headers }: IncomingMessage, resource: Resource): boolean {
  const tags = headers['if-none-match'];
  if (tags !== undefined) {
    const opaque = tags.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    return resource.etag !== undefined && opaque.includes(resource.etag.replace(/^W\//, ''));
  }
  const since = headers['if-modified-since'];
  if (since === undefined || resource.modifiedAt === undefined) return false;
  return resource.modifiedAt.getTime() <= Date.parse(since);
}

function wantedPart(
  { headers }: IncomingMessage,
  resource: Resource,
): Part | 'unsatisfiable' | undefined {
  const [, first, last] = RANGE.exec(headers.range ?? '') ?? [];
  if (!resource.ranges || first === undefined || last === undefined) return undefined;
  if (first === '' && last === '') return undefined;
  if (!holdsIfRange(headers['if-range'], resource)) return undefined;
  const { sizeBytes } = resource;
  if (first === '') return satisfiable(Math.max(0, sizeBytes - Number(last)), sizeBytes, sizeBytes);
  const end = last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  return satisfiable(Number(first), end, sizeBytes);
}

function satisfiable(start: number, end: number, sizeBytes: number): Part | 'unsatisfiable' {
  return start < end && start < sizeBytes ? { start, end } : 'unsatisfiable';
}

/** If-Range holds for a strong tag that is ours, or for exactly our date. */
function holdsIfRange(condition: string | string[] | undefined, resource: Resource): boolean {
  if (typeof condition !== 'string') return true;
  if (condition.includes('"')) return condition === resource.etag && !condition.startsWith('W/');
  return resource.modifiedAt?.getTime() === Date.parse(condition);
}

async function send(
  response: ServerResponse,
  body: AsyncIterable<Buffer> | Iterable<Buffer>,
  counts: UrlCounts,
): Promise<void> {
  const counted = async function* () {
    for await (const chunk of body) {
      counts.bodyBytes += chunk.length;
      yield chunk;
    }
  };
  try {
    await pipeline(Readable.from(counted(), { objectMode: false }), response);
  } catch {
    // The client went away; what it got is counted.
    response.destroy();
  }
}
