/**
 * The mirror on loopback that a stock freshclam or cvdupdate takes for its own.
 *
 * `GET /<database>.cvd` (whole, or the 512 bytes of the header), `/<database>-<n>.cdiff`, and their
 * `.sign`. What the clients need, by their behaviour: `Last-Modified` is the time in the header, which they compare
 * with that of their copy; a difference that cannot be had is answered empty, for "take the whole
 * one", because a client that is one behind stays so on a 404; and never 403 or 429, on which
 * freshclam does nothing for 24 hours or 4. Invariant: only verified bytes are given.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { CodedError, type Disposable, type Log } from '@peerage/sdk';
import { type DatabaseHeader, headerBytes } from './header.js';
import { CLIENT_TIMEOUT_MS, HEADER_BYTES, MAX_CONNECTIONS } from './limits.js';

/** That it is empty is logged at most this often. */
const WARN_INTERVAL_MS = 60_000;

/** What the mirror gives. */
export interface MirrorContent {
  header(database: string): DatabaseHeader | undefined;
  database(database: string, version: number): Promise<string | undefined>;
  difference(database: string, version: number): Promise<string | undefined>;
  /** The detached signature of a file, by the file's name with its version. */
  sign(name: string): Promise<string | undefined>;
}

export interface Mirror extends Disposable {
  readonly port: number;
}

interface Part {
  readonly start: number;
  /** The byte after the last. */
  readonly end: number;
}

/** Opens the mirror. @throws CodedError `E_MIRROR_LISTEN` */
export async function openMirror(
  place: { readonly address: string; readonly port: number },
  content: MirrorContent,
  log: Log,
): Promise<Mirror> {
  const server = createServer({ maxHeaderSize: 8_192, requestTimeout: 30_000 });
  server.maxConnections = MAX_CONNECTIONS;
  server.timeout = CLIENT_TIMEOUT_MS;
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  const warnEmpty = (database: string) => {
    const now = performance.now();
    if (now - warnedAtMs < WARN_INTERVAL_MS) return;
    warnedAtMs = now;
    log.warn('mirror-empty', { database, action: '`peerage antivirus status` says why' });
  };
  server.on('request', (request, response) => {
    response.on('error', () => response.destroy());
    answer(request, response, content, warnEmpty).catch((error: unknown) => {
      log.warn('mirror-failed', { url: request.url?.slice(0, 200), error });
      if (response.headersSent) response.destroy();
      else refuse(response, 503);
    });
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  await bound(server, place);
  const bind = server.address();
  const port = typeof bind === 'object' && bind !== null ? bind.port : place.port;
  return {
    port,
    dispose: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  content: MirrorContent,
  warnEmpty: (database: string) => void,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405);
  const path = (request.url ?? '').split('?')[0] ?? '';
  const version = /[?&]version=([1-9][0-9]{0,8})(?:&|$)/.exec(request.url ?? '')?.[1];
  const match =
    /^\/(?:clamav\/)?([A-Za-z][A-Za-z0-9_]{0,40})(?:-([1-9][0-9]{0,8}))?\.(cvd|cdiff)(\.sign)?$/.exec(
      path,
    );
  const [, database = '', number, kind, isSign] = match ?? [];
  const header = content.header(database);
  const isNumbered = kind === 'cdiff' || isSign !== undefined;
  if (header === undefined && match !== null) {
    warnEmpty(database);
    return refuse(response, 404);
  }
  if (header === undefined || isNumbered !== (number !== undefined)) return refuse(response, 404);
  if (isSign !== undefined) {
    const path = Number(number) > header.version ? undefined : await content.sign(fileOf(match));
    return path === undefined ? refuse(response, 404) : sendFile(request, response, path);
  }
  if (kind === 'cdiff') return difference(request, response, content, { database, number, header });
  const wanted = version === undefined ? header.version : Number(version);
  await whole(request, response, content, { database, header, wanted });
}

/** The name of the file that a detached signature is for. */
function fileOf(match: RegExpExecArray | null): string {
  const [, database = '', number = '', kind = ''] = match ?? [];
  return `${database}-${number}.${kind}`;
}

async function whole(
  request: IncomingMessage,
  response: ServerResponse,
  content: MirrorContent,
  { database, header, wanted }: { database: string; header: DatabaseHeader; wanted: number },
): Promise<void> {
  if (wanted === header.version) {
    response.setHeader('last-modified', new Date(header.builtAtMs).toUTCString());
    const since = Date.parse(request.headers['if-modified-since'] ?? '');
    if (header.builtAtMs <= since) return refuse(response, 304);
    const part = partOf(request.headers.range, HEADER_BYTES);
    const isOfHeader = part !== undefined && wantsNoMore(request.headers.range);
    if (isOfHeader) return sendHeader(request, response, header, part);
  }
  const path = await content.database(database, wanted);
  if (path === undefined) return refuse(response, wanted === header.version ? 503 : 404);
  await sendFile(request, response, path);
}

/** Whether a range ends inside the header, which is held without the rest. */
function wantsNoMore(range: string | undefined): boolean {
  const last = /^bytes=[0-9]{1,9}-([0-9]{1,9})$/.exec(range ?? '')?.[1];
  return last !== undefined && Number(last) < HEADER_BYTES;
}

function sendHeader(
  request: IncomingMessage,
  response: ServerResponse,
  header: DatabaseHeader,
  { start, end }: Part,
): void {
  const bytes = headerBytes(header).subarray(start, end);
  response.statusCode = 206;
  // The size of the whole is not known before it is held; the standard has a star for that.
  response.setHeader('content-range', `bytes ${start}-${end - 1}/*`);
  response.setHeader('content-length', bytes.length);
  response.setHeader('content-type', 'application/octet-stream');
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

async function difference(
  request: IncomingMessage,
  response: ServerResponse,
  content: MirrorContent,
  asked: { database: string; number: string | undefined; header: DatabaseHeader },
): Promise<void> {
  const { database, header } = asked;
  const version = Number(asked.number);
  if (version > header.version) return refuse(response, 404);
  const path = await content.difference(database, version);
  if (path !== undefined) return sendFile(request, response, path);
  const instead = await content.database(database, header.version);
  if (instead === undefined) return refuse(response, 503);
  response.setHeader('content-length', 0);
  response.setHeader('content-type', 'application/octet-stream');
  response.end();
}

async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const { size } = await stat(path);
  const { range } = request.headers;
  const part = partOf(range, size);
  if (range !== undefined && part === undefined && /^bytes=[0-9]+-/.test(range)) {
    response.setHeader('content-range', `bytes */${size}`);
    return refuse(response, 416);
  }
  const { start, end } = part ?? { start: 0, end: size };
  response.statusCode = part === undefined ? 200 : 206;
  if (part !== undefined) response.setHeader('content-range', `bytes ${start}-${end - 1}/${size}`);
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('content-length', end - start);
  response.setHeader('content-type', 'application/octet-stream');
  if (request.method === 'HEAD' || end === start) {
    response.end();
    return;
  }
  await pipeline(createReadStream(path, { start, end: end - 1 }), response);
}

/** A single range from the front, cut to the size; anything else is the whole. */
function partOf(range: string | undefined, sizeBytes: number): Part | undefined {
  const match = /^bytes=([0-9]{1,15})-([0-9]{0,15})$/.exec(range ?? '');
  if (match === null) return undefined;
  const start = Number(match[1]);
  const last = match[2] === '' ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1);
  return start <= last ? { start, end: last + 1 } : undefined;
}

function refuse(response: ServerResponse, status: number): void {
  response.statusCode = status;
  if (status !== 304) response.setHeader('content-length', 0);
  if (status === 405) response.setHeader('allow', 'GET, HEAD');
  response.end();
}

function bound(server: Server, place: { address: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new CodedError('E_MIRROR_LISTEN', `cannot listen on ${place.address}:${place.port}`, {
          expected: 'a free port of this machine',
          action: 'choose another one in clamav.listen of the settings of antivirus',
          cause,
        }),
      );
    });
    server.listen({ host: place.address, port: place.port }, () => {
      server.removeAllListeners('error');
      server.on('error', () => undefined);
      resolve();
    });
  });
}
