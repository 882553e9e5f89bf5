/**
 * Conditional requests, answered from the head that the core delivered (RFC 9110 §13).
 *
 * The core decides whether the resource is fresh; here only the client's copy is compared with it.
 * `If-Match` and `If-Unmodified-Since` are the origin's alone (RFC 9111 §4.3.2): requests with
 * them are forwarded, see proxy.ts.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type HeaderPairs, headerValue } from './headers.js';

/** Headers answered here, so never the core's business. */
export const CONDITIONAL_HEADERS = [
  'if-none-match',
  'if-modified-since',
  'if-range',
  'range',
] as const;

/** Headers that only an origin may evaluate. */
export const ORIGIN_ONLY_HEADERS = ['if-match', 'if-unmodified-since'] as const;

/** Does the client hold the current representation already? */
export function isNotModified(request: IncomingHttpHeaders, head: HeaderPairs): boolean {
  const wanted = request['if-none-match'];
  if (wanted !== undefined) {
    if (wanted.trim() === '*') return true;
    const tag = headerValue(head, 'etag');
    return tag !== undefined && entityTags(wanted).has(opaqueTag(tag));
  }
  const since = dateOf(request['if-modified-since']);
  const modified = dateOf(headerValue(head, 'last-modified'));
  return since !== undefined && modified !== undefined && modified <= since;
}

/** May the client continue its part with ours? A missing `If-Range` says yes. */
export function isRangeCurrent(request: IncomingHttpHeaders, head: HeaderPairs): boolean {
  const header = request['if-range'];
  if (header === undefined) return true;
  const validator = String(header).trim();
  if (validator.startsWith('W/')) return false;
  if (validator.startsWith('"')) return headerValue(head, 'etag') === validator;
  const date = dateOf(validator);
  return date !== undefined && date === dateOf(headerValue(head, 'last-modified'));
}

/** The tags of a list, without their weakness: `If-None-Match` compares weakly. */
function entityTags(list: string): ReadonlySet<string> {
  return new Set(list.match(/"[^"]*"/g) ?? []);
}

function opaqueTag(tag: string): string {
  return tag.trim().replace(/^W\//, '');
}

function dateOf(text: string | undefined): number | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}
