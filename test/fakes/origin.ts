/** An origin on loopback: a real HTTP(S) server that counts, and that can break in every way. */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Identity } from '@peerage/core/trust/authority.js';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A resource that behaves as a file server's. It may be changed while it is being served. */
export interface Resource {
  content: Buffer;
  headers: Record<string, string>;
  /** After so many bytes the connection breaks; one number is used up by each body. */
  breaks?: number[];
  /** Sent without a length, chunked. */
  chunked?: boolean;
  /** Whether Range is heeded; true by default. */
  ranges?: boolean;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export class LoopbackOrigin {
  readonly asked: Asked[] = [];
  private readonly handlers = new Map<string, Handler>();
  private readonly server: Server;
  private readonly scheme: 'http' | 'https';

  private constructor(tls: Identity | undefined) {
    const handle: Handler = (request, response) => this.handle(request, response);
    this.scheme = tls === undefined ? 'http' : 'https';
    this.server =
      tls === undefined
        ? createServer(handle)
        : createSecureServer(
            { key: tls.key.export({ type: 'pkcs8', format: 'pem' }), cert: `${tls.certificate}` },
            handle,
          );
  }

  /** @param tls speaks TLS with this identity, whose name is then the host's name */
  static async start(tls?: Identity): Promise<LoopbackOrigin> {
    const origin = new LoopbackOrigin(tls);
    await new Promise<void>((resolve) => origin.server.listen(0, '127.0.0.1', resolve));
    return origin;
  }

  get host(): string {
    const { port } = this.server.address() as AddressInfo;
    return `${this.scheme === 'https' ? 'localhost' : '127.0.0.1'}:${port}`;
  }

  url(path: string): string {
    return `${this.scheme}://${this.host}${path}`;
  }

  /** How often a path was asked for. */
  count(path: string): number {
    return this.asked.filter((asked) => asked.path === path).length;
  }

  last(path: string): Asked {
    const found = this.asked.findLast((asked) => asked.path === path);
    if (found === undefined) throw new Error(`nobody asked for ${path}`);
    return found;
  }

  on(path: string, handler: Handler): void {
    this.handlers.set(path, handler);
  }

  /** Serves a resource as a file server does: validators, ranges, HEAD. */
  serve(path: string, resource: Resource): Resource {
    this.on(path, (request, response) => serve(resource, request, response));
    return resource;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private handle(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url: path = '', headers } = request;
    this.asked.push({ method, path, headers });
    const handler = this.handlers.get(path);
    if (handler !== undefined) return handler(request, response);
    response.writeHead(404, { 'content-length': 0 });
    response.end();
  }
}

function serve(resource: Resource, request: IncomingMessage, response: ServerResponse): void {
  const { content, headers } = resource;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  const known = request.headers['if-none-match'];
  if (known !== undefined && known === headers['etag']) {
    response.writeHead(304);
    response.end();
    return;
  }
  const part = resource.ranges === false ? undefined : partOf(request, resource);
  const bytes = part === undefined ? content : content.subarray(part.start, part.end);
  if (part !== undefined) {
    response.statusCode = 206;
    const range = `bytes ${part.start}-${part.end - 1}/${content.length}`;
    response.setHeader('content-range', range);
  }
  if (resource.chunked === true) response.flushHeaders();
  else response.setHeader('content-length', bytes.length);
  if (request.method === 'HEAD') return void response.end();
  const breakAt = resource.breaks?.shift();
  if (breakAt === undefined) return void response.end(bytes);
  response.write(bytes.subarray(0, breakAt), () => response.destroy());
}

function partOf(request: IncomingMessage, { content, headers }: Resource) {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const condition = request.headers['if-range'];
  const current = [headers['etag'], headers['last-modified']];
  const heeded = condition === undefined || current.some((validator) => validator === condition);
  if (match === null || !heeded) return undefined;
  const start = Number(match[1]);
  const end = match[2] ? Math.min(Number(match[2]) + 1, content.length) : content.length;
  return start < end ? { start, end } : undefined;
}
