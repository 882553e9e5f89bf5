/**
 * The live feed: server-sent events to everybody who looks. The node is asked once a second however
 * many look, and not at all while nobody does.
 */
import type { ServerResponse } from 'node:http';

const EVERY_MS = 1000;
/** Pages open at once. */
const WATCHERS_MAX = 32;
/** What a page that does not read may leave in memory. */
const BACKLOG_BYTES_MAX = 1024 * 1024;

export class Feed {
  private readonly watchers = new Set<ServerResponse>();
  private readonly make: () => Promise<unknown>;
  private readonly failed: (error: unknown) => void;
  private timer: NodeJS.Timeout | undefined;

  constructor(make: () => Promise<unknown>, failed: (error: unknown) => void) {
    this.make = make;
    this.failed = failed;
  }

  /** Whether there was room for one more. */
  add(response: ServerResponse): boolean {
    if (this.watchers.size >= WATCHERS_MAX) return false;
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    this.watchers.add(response);
    response.once('close', () => this.remove(response));
    this.timer ??= setInterval(() => void this.tell(), EVERY_MS);
    void this.tell();
    return true;
  }

  close(): void {
    for (const response of [...this.watchers]) response.destroy();
    clearInterval(this.timer);
  }

  private remove(response: ServerResponse): void {
    this.watchers.delete(response);
    if (this.watchers.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async tell(): Promise<void> {
    try {
      const text = `data: ${JSON.stringify(await this.make())}\n\n`;
      for (const response of this.watchers) {
        if (response.writableLength > BACKLOG_BYTES_MAX) response.destroy();
        else response.write(text);
      }
    } catch (error) {
      this.failed(error);
    }
  }
}
