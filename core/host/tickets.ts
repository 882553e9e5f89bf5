/**
 * Bodies on their way to plugins: each is redeemed once, by a one-time ticket, over a local socket.
 * Frames of a 4-byte length and that many bytes; length 0 ends the body well, length 2³²−1 is
 * followed by an error; a connection that just closes was broken off.
 *
 * Invariants: a ticket is good once and for 30 s; a body whose reader leaves is closed; at most
 * CONNECTIONS_MAX connections are open, for other users may open them where plugins have their own.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { BoundedMap } from '../base/bounded.js';
import { toWireError } from './channel.js';

const TICKETS_MAX = 4096;
const TICKET_LIFE_MS = 30_000;
const TICKET_LENGTH = 22;
/** Whoever connects has a ticket and shows it at once. */
const SHOWN_MS = 3000;
const CONNECTIONS_MAX = 1024;
const ERROR_MARK = 0xffffffff;

interface Waiting {
  readonly body: AsyncIterable<Uint8Array>;
  readonly timer: NodeJS.Timeout;
}

export class TicketOffice {
  readonly path: string;
  private readonly server: Server;
  private readonly waiting = new BoundedMap<string, Waiting>(TICKETS_MAX);
  private readonly connections = new Set<Socket>();

  private constructor(path: string) {
    this.path = path;
    this.server = createServer((socket) => this.admit(socket));
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  static async open(path: string): Promise<TicketOffice> {
    const office = new TicketOffice(path);
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      office.server.once('error', reject);
      office.server.listen(path, resolve);
    });
    if (process.platform !== 'win32') await chmod(path, 0o600);
    return office;
  }

  /** Lets processes of other users redeem tickets too: whoever has one may. */
  admitOthers(): void {
    chmodSync(this.path, 0o666);
  }

  /** A ticket for this body. */
  issue(body: AsyncIterable<Uint8Array>): string {
    const ticket = randomBytes(16).toString('base64url');
    const timer = setTimeout(() => this.forget(ticket), TICKET_LIFE_MS);
    timer.unref();
    const displaced = this.waiting.set(ticket, { body, timer });
    if (displaced !== undefined) void close(displaced);
    return ticket;
  }

  async close(): Promise<void> {
    for (const ticket of [...this.waiting.keys()]) this.forget(ticket);
    for (const socket of this.connections) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private forget(ticket: string): void {
    const waiting = this.waiting.get(ticket);
    this.waiting.delete(ticket);
    if (waiting !== undefined) void close(waiting);
  }

  private admit(socket: Socket): void {
    this.connections.add(socket);
    socket.on('close', () => this.connections.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(SHOWN_MS, () => socket.destroy());
    let said = '';
    const listen = (chunk: Buffer) => {
      said += chunk.toString('latin1');
      if (said.length < TICKET_LENGTH) return;
      socket.off('data', listen);
      const waiting = this.waiting.get(said);
      this.waiting.delete(said);
      if (waiting === undefined) return void socket.destroy();
      clearTimeout(waiting.timer);
      void deliver(socket, waiting.body);
    };
    socket.on('data', listen);
  }
}

async function close({ body, timer }: Waiting): Promise<void> {
  clearTimeout(timer);
  await body[Symbol.asyncIterator]().return?.(undefined);
}

async function deliver(socket: Socket, body: AsyncIterable<Uint8Array>): Promise<void> {
  socket.setTimeout(0);
  try {
    for await (const chunk of body) {
      if (socket.destroyed) return;
      if (chunk.length === 0) continue;
      socket.cork();
      socket.write(lengthPrefix(chunk.length));
      const more = socket.write(chunk);
      socket.uncork();
      if (!more) await drained(socket);
    }
    socket.end(lengthPrefix(0));
  } catch (error) {
    const text = Buffer.from(JSON.stringify(toWireError(error)));
    socket.end(Buffer.concat([lengthPrefix(ERROR_MARK), lengthPrefix(text.length), text]));
  }
}

function lengthPrefix(length: number): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(length);
  return prefix;
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}
