/**
 * The connections of all listeners, and the requests in work on each.
 *
 * A request's abort signal must fire when its connection dies, also while its answer still waits
 * in line behind another one of the same connection (pipelining), where Node tells the response
 * nothing. So the link is kept here: connection → lives. Invariant: a life is in the table
 * only between `begin` and `end`, a connection only while it is open.
 */
import type { Socket } from 'node:net';
import { CodedError, type Disposable } from '@peerage/sdk';
import { MAX_OPEN_REQUESTS, MAX_PIPELINED_REQUESTS } from './limits.js';

/** One request in work. */
export interface Life extends Disposable {
  /** Fires when its connection dies; made when it is first asked for, since most never do. */
  readonly signal: AbortSignal;
  readonly isOver: boolean;
}

class RequestLife implements Life {
  private controller: AbortController | undefined;
  private readonly release: (life: RequestLife) => void;
  isOver = false;

  constructor(release: (life: RequestLife) => void) {
    this.release = release;
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.isOver) this.controller.abort();
    return this.controller.signal;
  }

  abort(): void {
    this.isOver = true;
    this.controller?.abort();
  }

  dispose(): void {
    this.release(this);
  }
}

export class Connections {
  private readonly table = new Map<Socket, Set<RequestLife>>();
  /** Connections that have asked for nothing yet: their first request may be on its way. */
  private readonly fresh = new Set<Socket>();
  private requests = 0;

  /** Takes a connection into the table until it closes; again is harmless. */
  admit(socket: Socket): void {
    if (this.table.has(socket)) return;
    const lives = new Set<RequestLife>();
    this.table.set(socket, lives);
    this.fresh.add(socket);
    socket.once('close', () => {
      this.table.delete(socket);
      this.fresh.delete(socket);
      this.requests -= lives.size;
      const left = [...lives];
      lives.clear();
      for (const life of left) life.abort();
    });
  }

  /** Opens a request's life; it is aborted when its connection closes. */
  begin(socket: Socket): Life {
    this.fresh.delete(socket);
    const lives = this.table.get(socket) ?? new Set();
    const crowded = lives.size >= MAX_PIPELINED_REQUESTS;
    if (crowded || this.requests >= MAX_OPEN_REQUESTS) {
      throw new CodedError('E_BUSY', 'too many requests are in work', {
        expected: `${MAX_PIPELINED_REQUESTS} of a connection, ${MAX_OPEN_REQUESTS} in all`,
        action: 'try again later',
      });
    }
    const life = new RequestLife((ended) => {
      if (lives.delete(ended)) this.requests -= 1;
    });
    lives.add(life);
    this.requests += 1;
    if (socket.destroyed) life.abort();
    return life;
  }

  /** Is a request of this connection in work? */
  isBusy(socket: Socket): boolean {
    return (this.table.get(socket)?.size ?? 0) > 0;
  }

  /** Those that asked and have their answer. */
  destroyIdle(): void {
    for (const [socket, lives] of this.table) {
      if (lives.size === 0 && !this.fresh.has(socket)) socket.destroy();
    }
  }

  /** Those that never asked. */
  destroyFresh(): void {
    for (const socket of this.fresh) socket.destroy();
  }

  destroyAll(): void {
    for (const socket of this.table.keys()) socket.destroy();
  }
}
