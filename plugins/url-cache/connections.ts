/**
 * The connections of all listeners, and the requests in work on each.
 *
 * A request's abort signal must fire when its connection dies, also while its answer still waits
 * in line behind another one of the same connection (pipelining), where Node tells the response
 * nothing. So the link is kept here: connection → signals. Invariant: a signal is in the table
 * only between `begin` and `end`, a connection only while it is open.
 */
import type { Socket } from 'node:net';
import { CodedError, type Disposable } from '@peerage/sdk';
import { MAX_OPEN_REQUESTS, MAX_PIPELINED_REQUESTS } from './limits.js';

/** One request in work. */
export interface Life extends Disposable {
  readonly signal: AbortSignal;
}

export class Connections {
  private readonly table = new Map<Socket, Set<AbortController>>();
  private requests = 0;

  /** Takes a connection into the table until it closes; again is harmless. */
  admit(socket: Socket): void {
    if (this.table.has(socket)) return;
    const controllers = new Set<AbortController>();
    this.table.set(socket, controllers);
    socket.once('close', () => {
      this.table.delete(socket);
      this.requests -= controllers.size;
      const left = [...controllers];
      controllers.clear();
      for (const controller of left) controller.abort();
    });
  }

  /** Opens a request's life; it is aborted when its connection closes. */
  begin(socket: Socket): Life {
    const controllers = this.table.get(socket) ?? new Set();
    const crowded = controllers.size >= MAX_PIPELINED_REQUESTS;
    if (crowded || this.requests >= MAX_OPEN_REQUESTS) {
      throw new CodedError('E_BUSY', 'too many requests are in work', {
        expected: `${MAX_PIPELINED_REQUESTS} of a connection, ${MAX_OPEN_REQUESTS} in all`,
        action: 'try again later',
      });
    }
    const controller = new AbortController();
    controllers.add(controller);
    this.requests += 1;
    if (socket.destroyed) controller.abort();
    return {
      signal: controller.signal,
      dispose: () => {
        if (controllers.delete(controller)) this.requests -= 1;
      },
    };
  }

  /** Is a request of this connection in work? */
  isBusy(socket: Socket): boolean {
    return (this.table.get(socket)?.size ?? 0) > 0;
  }

  destroyIdle(): void {
    for (const [socket, controllers] of this.table) if (controllers.size === 0) socket.destroy();
  }

  destroyAll(): void {
    for (const socket of this.table.keys()) socket.destroy();
  }
}
