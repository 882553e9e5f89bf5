/**
 * Repeats: a request that is the same, letter for letter, as one that was answered from a lease
 * gets the same answer without being looked at again.
 *
 * What a request means depends on its line, its headers and the port that it came to, and on
 * nothing else; so everything between `proxy` and `serve` need not be done twice. Only whole
 * answers to plain GETs are repeated. Invariant: each repetition asks the lease (`again`), which
 * knows whether the answer is still good.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ResourceResponse } from '@peerage/sdk';
import { type HeaderPairs, type HeadFields, headFields, setFields } from './headers.js';
import { MAX_REPEATED_HEAD_CHARACTERS, MAX_REPEATS } from './limits.js';
import { closeBody, pump } from './pump.js';

/** Requests with headers that make the answer another one each time, or only a part. */
const PARTIAL = /^(range|if-.*|authorization|cookie|expect|content-length|transfer-encoding)$/i;

export interface Repeat {
  readonly again: () => ResourceResponse | undefined;
  /** The answer's headers as this proxy sends them, made from those of the resource. */
  readonly headOf: (resource: ResourceResponse) => HeaderPairs;
  headers: ResourceResponse['headers'] | undefined;
  fields: HeadFields;
}

/** The repeats of one port. */
export class Repeats {
  private readonly known = new Map<string, Repeat>();
  private readonly paths: boolean;

  /** @param paths whether a bare path is the same URL on every connection: on a mirror's port */
  constructor(paths: boolean) {
    this.paths = paths;
  }

  /** What a request is known by; `undefined` for one that is never repeated. */
  keyOf({ method, url = '', rawHeaders }: IncomingMessage): string | undefined {
    if (method !== 'GET' || (url.startsWith('/') && !this.paths)) return undefined;
    let key = url;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] ?? '';
      if (PARTIAL.test(name)) return undefined;
      key += `\n${name}:${rawHeaders[at + 1]}`;
    }
    return key.length > MAX_REPEATED_HEAD_CHARACTERS ? undefined : key;
  }

  /** Remembers how a request was answered, if that can be repeated. */
  learn(key: string, resource: ResourceResponse, headOf: Repeat['headOf']): void {
    const { again } = resource;
    const { status, sizeBytes } = resource;
    if (again === undefined || status !== 200 || sizeBytes === undefined) return;
    this.known.delete(key);
    this.known.set(key, { again, headOf, headers: undefined, fields: [] });
    const [oldest] = this.known.keys();
    if (this.known.size > MAX_REPEATS && oldest !== undefined) this.known.delete(oldest);
  }

  /** The answer to a request like one before, if it is still good; its body must be sent. */
  find(key: string): { readonly repeat: Repeat; readonly resource: ResourceResponse } | undefined {
    const repeat = this.known.get(key);
    const resource = repeat?.again();
    if (repeat !== undefined && resource !== undefined) return { repeat, resource };
    this.known.delete(key);
    return undefined;
  }
}

/** Sends a repeated answer. `signalOf` is asked only where sending takes its time. */
export async function sendAgain(
  response: ServerResponse,
  repeat: Repeat,
  resource: ResourceResponse,
  signalOf: () => AbortSignal,
): Promise<void> {
  if (repeat.headers !== resource.headers) {
    repeat.headers = resource.headers;
    const length = ['content-length', String(resource.sizeBytes)] as const;
    repeat.fields = headFields([...repeat.headOf(resource), length]);
  }
  setFields(response, resource.status, repeat.fields);
  const { body, sizeBytes } = resource;
  const first = await body[Symbol.asyncIterator]().next();
  if (first.done === true || first.value.byteLength === sizeBytes) {
    response.end(first.done === true ? undefined : first.value);
    return closeBody(body);
  }
  try {
    await pump(from(first.value, body), response, { lengthBytes: sizeBytes, signal: signalOf() });
  } finally {
    await closeBody(body);
  }
}

/** A body whose first chunk was taken already. */
async function* from(first: Uint8Array, rest: AsyncIterable<Uint8Array>) {
  yield first;
  yield* rest;
}
