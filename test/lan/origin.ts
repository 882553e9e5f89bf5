/**
 * The origin: a program that serves files and made content, and counts what it serves.
 *
 * `node origin.js --address A --port P [--directory D] [--tls-port Q --key F --certificate F]`
 * prints one JSON line `{"event":"listening",…}` when it serves. `GET /__counts` reports the
 * counts (counts.ts), `POST /__counts/reset` clears them; both only for programs on its own host,
 * so that asking costs nothing on the line. Uploads to any path are taken in and thrown away.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { parseArgs } from 'node:util';
import { answer, refuse, swallow } from './answer.js';
import { Counter } from './counts.js';
import { findResource } from './resource.js';

const counter = new Counter();

const { values } = parseArgs({
  options: {
    address: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    directory: { type: 'string' },
    'tls-port': { type: 'string' },
    key: { type: 'string' },
    certificate: { type: 'string' },
  },
});

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const target = request.url ?? '/';
  if (target.startsWith('/__counts')) return control(request, response);
  const counts = counter.of(target);
  if (request.method === 'POST' || request.method === 'PUT') {
    return swallow(request, response, counts);
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, counts, 405);
  if (!target.startsWith('/')) return refuse(response, counts, 400);
  const url = new URL(target, 'http://origin.invalid');
  return answer(request, response, await findResource(values.directory, url), counts);
}

function control(request: IncomingMessage, response: ServerResponse): void {
  const { localAddress, remoteAddress } = request.socket;
  if (localAddress !== remoteAddress) {
    response.writeHead(403).end();
    return;
  }
  const report = counter.report();
  if (request.method === 'POST') counter.reset();
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(report));
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  handle(request, response).catch((error: unknown) => {
    process.stderr.write(`origin: ${request.url}: ${String(error)}\n`);
    response.destroy();
  });
}

async function listen(server: Server, port: string): Promise<number> {
  server.listen(Number(port), values.address);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const port = await listen(createServer(serve), values.port);
const { key, certificate } = values;
const tlsPort =
  values['tls-port'] === undefined || key === undefined || certificate === undefined
    ? undefined
    : await listen(
        createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) }, serve),
        values['tls-port'],
      );
process.stdout.write(`${JSON.stringify({ event: 'listening', port, tlsPort })}\n`);
