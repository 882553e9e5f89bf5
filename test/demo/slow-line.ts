/** An origin behind a thin line: its bodies leave no faster than the line, all of them together. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { contentOf, sha256Of } from '../fakes/content.js';

/** Bytes leave in slices of this much of a second. */
const SLICE_MS = 50;

export class SlowOrigin {
  readonly sha256: string;
  /** Body bytes that left, and bodies that were begun. */
  sentBytes = 0;
  bodies = 0;
  private readonly content: Buffer;
  private readonly bytesPerSecond: number;
  private readonly server: Server;
  /** Whose turn the line is: slices queue, as packets do at a thin line. */
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(sizeBytes: number, bytesPerSecond: number) {
    this.content = contentOf('demo', sizeBytes);
    this.sha256 = sha256Of(this.content);
    this.bytesPerSecond = bytesPerSecond;
    this.server = createServer((_request, response) => void this.send(response));
  }

  static async start(sizeBytes: number, bytesPerSecond: number): Promise<SlowOrigin> {
    const origin = new SlowOrigin(sizeBytes, bytesPerSecond);
    origin.server.listen(0, '127.0.0.1');
    await once(origin.server, 'listening');
    return origin;
  }

  get url(): string {
    const { port } = this.server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/installer.bin`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async send(response: ServerResponse): Promise<void> {
    this.bodies += 1;
    const { content } = this;
    const headers = { 'cache-control': 'max-age=3600', etag: '"demo"' };
    response.writeHead(200, { ...headers, 'content-length': content.length });
    const slice = Math.ceil((this.bytesPerSecond * SLICE_MS) / 1000);
    for (let at = 0; at < content.length && !response.destroyed; at += slice) {
      this.turn = this.turn.then(() => once(AbortSignal.timeout(SLICE_MS), 'abort'));
      await this.turn;
      const bytes = content.subarray(at, at + slice);
      this.sentBytes += bytes.length;
      response.write(bytes);
    }
    response.end();
  }
}
