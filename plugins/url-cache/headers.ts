/**
 * Headers between two connections: which pass, which end here, and the trail of `Via`.
 *
 * Both directions of every flow go through this file. Invariants: a hop-by-hop header, one listed
 * in `Connection` included, never passes; `Host` is always rebuilt from the URL; a header that
 * Node would refuse to write is dropped instead of failing the answer.
 */
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';

/** Headers in order, duplicates allowed, lower-case names. */
export type HeaderPairs = ReadonlyArray<readonly [name: string, value: string]>;

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Names that `Connection` lists: they end here too (RFC 9110 §7.6.1). */
function listedIn(connection: string | undefined): ReadonlySet<string> {
  const names = (connection ?? '').toLowerCase().split(',');
  return new Set(names.map((name) => name.trim()).filter((name) => name !== ''));
}

/** The client's headers that pass, without `host` and `expect`, which this proxy answers itself. */
export function passingRequestHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const listed = listedIn(headers.connection);
  const passing: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name === 'host' || name === 'expect') continue;
    if (HOP_BY_HOP.has(name) || listed.has(name)) continue;
    passing[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return passing;
}

/** Does the request bring content along? */
export function hasBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  return coding !== undefined || (length !== undefined && length !== '0');
}

/** The origin's headers that pass. */
export function passingResponseHeaders(pairs: HeaderPairs): HeaderPairs {
  const connection = pairs.filter(([name]) => name.toLowerCase() === 'connection');
  const listed = listedIn(connection.map(([, value]) => value).join(','));
  return pairs
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !HOP_BY_HOP.has(name) && !listed.has(name));
}

/** `Via` with this proxy at its end. */
export function extendedVia(via: string | undefined, version: string, pseudonym: string): string {
  const mine = `${version} ${pseudonym}`;
  return via === undefined || via === '' ? mine : `${via}, ${mine}`;
}

/** Has a message with this `Via` been here already? */
export function hasPassed(via: string | undefined, pseudonym: string): boolean {
  return (via ?? '').split(',').some((hop) => hop.trim().split(/\s+/)[1] === pseudonym);
}

/** The value of a header, duplicates joined. */
export function headerValue(pairs: HeaderPairs, name: string): string | undefined {
  const values = pairs.filter(([candidate]) => candidate === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(', ');
}

/** Headers as they are set: each name once, only what Node would write. */
export type HeadFields = ReadonlyArray<readonly [name: string, value: string | string[]]>;

export function headFields(pairs: HeaderPairs): HeadFields {
  const grouped = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    if (!isWritable(name, value)) continue;
    const values = grouped.get(name);
    if (values === undefined) grouped.set(name, [value]);
    else values.push(value);
  }
  return [...grouped].map(([name, values]) => {
    return [name, values.length === 1 ? (values[0] ?? '') : values] as const;
  });
}

/** Sets status and headers of an answer that has not been sent yet. */
export function setHead(response: ServerResponse, status: number, pairs: HeaderPairs): void {
  setFields(response, status, headFields(pairs));
}

export function setFields(response: ServerResponse, status: number, fields: HeadFields): void {
  response.statusCode = status;
  for (const [name, value] of fields) response.setHeader(name, value);
}

function isWritable(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}
