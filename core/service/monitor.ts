/**
 * `/metrics` and `/health` for programs that watch: on the local sockets, and on a loopback port if
 * the admin has set one (`core.metricsPort`).
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { CodedError } from '@peerage/sdk';
import { type Health, judgeHealth } from './health.js';
import { metricsText } from './metrics.js';
import type { ControlOptions } from './views.js';
import { Vitals } from './vitals.js';

const LOOPBACK = '127.0.0.1';
/** A monitor asks once in a while; more connections than this are no monitor. */
const CONNECTIONS_MAX = 16;

export class Monitor {
  private readonly options: ControlOptions;
  private readonly vitals = new Vitals();
  private readonly startedAt = Date.now();
  private server: Server | undefined;

  constructor(options: ControlOptions) {
    this.options = options;
  }

  /** @param port 0 for none. @throws CodedError `E_PORT_TAKEN` */
  async open(port: number): Promise<void> {
    if (port === 0) return;
    const server = createServer((request, response) => {
      const [path = '/'] = (request.url ?? '/').split('?', 1);
      const host = (request.headers.host ?? '').replace(/:\d+$/, '');
      // Another name for this address is a web page's that was led here.
      const isOurs = host === LOOPBACK || host === 'localhost';
      if (isOurs && request.method === 'GET' && this.answer(path, response)) return;
      response.writeHead(isOurs ? 404 : 421).end();
    });
    server.maxConnections = CONNECTIONS_MAX;
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      const refuse = (cause: unknown) =>
        reject(
          new CodedError('E_PORT_TAKEN', `the metrics cannot listen on ${LOOPBACK}:${port}`, {
            action: 'choose another core.metricsPort',
            cause,
          }),
        );
      server.once('error', refuse);
      server.listen(port, LOOPBACK, resolve);
    });
  }

  async close(): Promise<void> {
    this.vitals.stop();
    const { server } = this;
    if (server?.listening !== true) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** Answers if the path is one of ours. */
  answer(path: string, response: ServerResponse): boolean {
    if (path === '/health') this.sendHealth(response);
    else if (path === '/metrics') this.sendMetrics(response);
    else return false;
    return true;
  }

  private health(): Health {
    const { about, peering, host } = this.options;
    const { solo, certificateEnds } = about;
    const loopDelaySeconds = this.vitals.read().loopDelaySeconds.p99;
    const facts = { lan: peering.status(), plugins: host.plugins(), loopDelaySeconds };
    return judgeHealth({ ...facts, solo, certificateEnds, now: Date.now() });
  }

  private sendHealth(response: ServerResponse): void {
    const health = this.health();
    response.writeHead(health.healthy ? 200 : 503, { 'content-type': 'application/json' });
    response.end(JSON.stringify(health));
  }

  private sendMetrics(response: ServerResponse): void {
    const { about, peering, transfer, server, host } = this.options;
    const text = metricsText({
      about,
      uptimeSeconds: Math.round((Date.now() - this.startedAt) / 1000),
      lan: peering.status(),
      transfer: transfer.status(),
      downloads: transfer.downloads().length,
      uploads: server.counters.snapshot(),
      plugins: host.plugins(),
      vitals: this.vitals.read(),
      healthy: this.health().healthy,
    });
    this.vitals.forget();
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(text);
  }
}
