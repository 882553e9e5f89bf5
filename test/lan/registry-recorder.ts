/**
 * An upstream for npm mirrors that counts: forwards to the registry that npm is configured for on
 * this machine, and keeps the counts of what went through (counts.ts).
 *
 * The registry's name is read at run time and never written down. Bodies pass through unchanged,
 * still encoded as the registry sent them; nothing is kept.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestOptions,
  request as requestHttp,
  type Server,
  type ServerResponse,
} from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import type { Disposable } from '@peerage/sdk';
import { Counter, type Counts, type UrlCounts } from './counts.js';

/** Longest silence of the registry before the request counts as failed, in milliseconds. */
const SILENCE_MS = 60_000;
/** Headers that concern one connection only (RFC 9110 §7.6.1). */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
];

export class RegistryRecorder implements Disposable {
  readonly url: string;
  readonly #server: Server;
  readonly #counter: Counter;

  private constructor(server: Server, counter: Counter, port: number) {
    this.#server = server;
    this.#counter = counter;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<RegistryRecorder> {
    const registry = new URL(await configured('registry'));
    const authority = await configured('cafile');
    const ca = authority === 'null' ? {} : { ca: readFileSync(authority) };
    const counter = new Counter();
    const server = createServer((request, response) => {
      const counts = counter.of(request.url ?? '/');
      forward(request, response, registry, ca, counts).catch(() => {
        counts.failures += 1;
        response.destroy();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return new RegistryRecorder(server, counter, port);
  }

  /** The counts up to now, which begin at nothing again. */
  reset(): Counts {
    const report = this.#counter.report();
    this.#counter.reset();
    return report;
  }

  dispose(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Whether the registry answers at all; the scenario makes no sense where it does not. */
export async function registryAnswers(): Promise<boolean> {
  const recorder = await RegistryRecorder.start();
  try {
    return (await fetch(`${recorder.url}/ms`, { method: 'HEAD' })).ok;
  } catch {
    return false;
  } finally {
    recorder.dispose();
  }
}

async function configured(setting: string): Promise<string> {
  const { stdout } = await promisify(execFile)('npm', ['config', 'get', setting]);
  return stdout.trim();
}

async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  registry: URL,
  ca: RequestOptions & { ca?: Buffer },
  counts: UrlCounts,
): Promise<void> {
  const { method = 'GET', headers } = request;
  if (method === 'GET') counts.gets += 1;
  else if (method === 'HEAD') counts.heads += 1;
  else counts.uploads += 1;
  if (headers['if-none-match'] ?? headers['if-modified-since']) counts.conditionals += 1;
  const send = registry.protocol === 'https:' ? requestHttps : requestHttp;
  const upstream = send(registryUrl(registry, request.url ?? '/'), {
    ...ca,
    method,
    headers: { ...endToEnd(headers), host: registry.host },
    timeout: SILENCE_MS,
  });
  upstream.once('timeout', () => upstream.destroy(new Error('the registry is silent')));
  const answered = once(upstream, 'response');
  await pipeline(request, upstream);
  const [answer] = (await answered) as [IncomingMessage];
  const status = answer.statusCode ?? 502;
  if (status === 304) counts.notModified += 1;
  if (status >= 400) counts.failures += 1;
  if (method === 'GET' && status < 300) counts.bodies += 1;
  if (status === 206) counts.partials += 1;
  answer.on('data', (chunk: Buffer) => {
    counts.bodyBytes += chunk.length;
  });
  response.writeHead(status, endToEnd(answer.headers));
  await pipeline(answer, response);
}

/** A registry may stand below a path; tarball URLs of its metadata contain that path already. */
function registryUrl(registry: URL, target: string): URL {
  const base = registry.pathname.replace(/\/$/, '');
  return new URL(target.startsWith(`${base}/`) ? target : `${base}${target}`, registry);
}

function endToEnd(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const kept = Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name));
  return Object.fromEntries(kept);
}
