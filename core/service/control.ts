/**
 * The running service's local interface: two sockets in the state directory, `control.sock` for
 * changes (its owner alone) and `status.sock` for looking (everybody). Plain HTTP and JSON.
 *
 *   GET  what `views` shows; /metrics /health            both sockets
 *   GET  /get?url=…&sha256=…   the bytes of a resource   control; a trailer says how it ended
 *   POST /cache/pin /cache/unpin /cache/purge ?url=…    control
 *   POST /policy/reload        policy.xml has changed    control
 *   POST /serving/on /serving/off   peers get something  control
 *   POST /probe                broadcast a hello now     control
 *   POST /plugins/…            see `plugin-changes`      control
 *   POST /elections/start /elections/resign /elections/pin /elections/exclude ?service=… control
 */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  CodedError,
  describeError,
  errorCode,
  type ResourcePolicy,
  type ResourceResponse,
} from '@peerage/sdk';
import { electionChanges } from './election-changes.js';
import { Monitor } from './monitor.js';
import { pluginChanges } from './plugin-changes.js';
import { type ControlOptions, type View, viewsOf } from './views.js';

type Change = (url: string, query: URLSearchParams) => Promise<unknown>;

export class ControlService {
  private readonly options: ControlOptions;
  private readonly servers: Server[] = [];
  private readonly monitor: Monitor;
  private readonly pluginChanges: ReturnType<typeof pluginChanges>;
  private readonly views: Readonly<Record<string, View>>;

  constructor(options: ControlOptions) {
    this.options = options;
    this.views = viewsOf(options);
    this.monitor = new Monitor(options);
    this.pluginChanges = pluginChanges(options.host);
  }

  async open(): Promise<void> {
    await this.monitor.open(this.options.metricsPort);
    await this.listen('control.sock', 0o600, true);
    await this.listen('status.sock', 0o666, false);
  }

  async close(): Promise<void> {
    await this.monitor.close();
    for (const server of this.servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  /** What a path shows, for those inside the core. */
  view(path: string, url?: string): unknown {
    return this.views[path]?.(new URLSearchParams(url === undefined ? {} : { url })) ?? [];
  }

  private async listen(name: string, mode: number, mayChange: boolean): Promise<void> {
    const path = join(this.options.stateDirectory, name);
    await rm(path, { force: true });
    const server = createServer(
      (request, response) => void this.answer(request, response, mayChange),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    await chmod(path, mode);
    this.servers.push(server);
  }

  private readonly changes: Readonly<Record<string, Change>> = {
    '/cache/pin': (url) => this.options.transfer.pin(url, true),
    '/cache/unpin': (url) => this.options.transfer.pin(url, false),
    '/cache/purge': (url) => this.purge(url),
    '/policy/reload': () => this.reloadPolicy(),
    '/serving/on': async () => this.options.serve(true),
    '/serving/off': async () => this.options.serve(false),
    '/probe': async () => this.options.probe(),
    ...electionChanges(() => this.options.elections),
  };

  /** Over when nobody delivers it any more: neither the core nor a plugin that held a lease. */
  private async purge(url: string): Promise<number> {
    const entries = await this.options.transfer.purge(url);
    await this.options.host.leasesEnded();
    return entries;
  }

  private async reloadPolicy(): Promise<number> {
    await this.options.policy?.load();
    return this.options.policy?.version ?? 0;
  }

  private async answer(
    request: IncomingMessage,
    response: ServerResponse,
    mayChange: boolean,
  ): Promise<void> {
    try {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://local');
      const url = searchParams.get('url') ?? '';
      if (request.method === 'GET' && this.monitor.answer(pathname, response)) return;
      const view = Object.hasOwn(this.views, pathname) ? this.views[pathname] : undefined;
      if (request.method === 'GET' && view !== undefined) {
        return sendJson(response, 200, view(searchParams));
      }
      if (!mayChange) throw new CodedError('E_READ_ONLY', 'this socket is for looking only');
      if (request.method === 'GET' && pathname === '/get') {
        return await this.get(url, searchParams.get('sha256'), response);
      }
      const ofPlugins = Object.hasOwn(this.pluginChanges, pathname)
        ? this.pluginChanges[pathname]
        : undefined;
      if (request.method === 'POST' && ofPlugins !== undefined) {
        return sendJson(response, 200, await ofPlugins(searchParams));
      }
      const change = Object.hasOwn(this.changes, pathname) ? this.changes[pathname] : undefined;
      if (request.method !== 'POST' || change === undefined) {
        throw new CodedError('E_CALL_UNKNOWN', `${request.method} ${pathname} is not known`);
      }
      sendJson(response, 200, { entries: await change(url, searchParams) });
    } catch (error) {
      if (response.headersSent) return void response.destroy();
      const fault = { code: errorCode(error), error: describeError(error) };
      sendJson(response, fault.code === 'E_READ_ONLY' ? 403 : 400, fault);
    }
  }

  private async get(url: string, sha256: string | null, response: ServerResponse): Promise<void> {
    this.options.host.requested(url);
    const found: ResourceResponse = await this.options.transfer.open('cli', {
      url,
      policy: knownDigest(sha256),
    });
    response.setHeader('peerage-source', found.source);
    response.setHeader('peerage-status', found.status);
    if (found.sizeBytes !== undefined) response.setHeader('peerage-size', found.sizeBytes);
    if (found.sha256 !== undefined) response.setHeader('peerage-sha256', found.sha256);
    response.setHeader('trailer', END_TRAILER);
    response.writeHead(200);
    const end = await sendBody(found.body, response);
    response.addTrailers({ [END_TRAILER]: encodeURIComponent(JSON.stringify(end)) });
    response.end();
  }
}

/** How a body ended; a body without this trailer broke off. */
export interface BodyEnd {
  /** `ok`, or an error's code. */
  readonly code: string;
  readonly error?: string;
}
export const END_TRAILER = 'peerage-end';

async function sendBody(
  body: ResourceResponse['body'],
  response: ServerResponse,
): Promise<BodyEnd> {
  let fault: BodyEnd = { code: 'ok' };
  const bytes = async function* () {
    try {
      yield* body;
    } catch (error) {
      fault = { code: errorCode(error), error: describeError(error) };
    }
  };
  await pipeline(Readable.from(bytes(), { objectMode: false }), response, { end: false });
  return fault;
}

function knownDigest(sha256: string | null): ResourcePolicy {
  if (sha256 === null) return {};
  const hex = sha256.toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return { digest: { algorithm: 'sha256', hex } };
  throw new CodedError('E_DIGEST_INVALID', `${sha256.slice(0, 80)} is no SHA-256`, {
    expected: '64 hexadecimal digits',
  });
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
