/**
 * A thousand connections that are held open by doing as little as possible, from several addresses,
 * and how long each of them lived.
 */
import { connect as connectPlain, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { atRate, linger } from '../pace.js';
import type { SlowlorisOrder, SlowlorisResult } from './kinds.js';
import { readOrder, report } from './order.js';

const DRIP_MS = 400;

const order = readOrder<SlowlorisOrder>();
const { host, port, kid } = order;

/** How each kind begins; `drip` is said byte by byte. */
interface Kind {
  readonly name: string;
  readonly tls: boolean;
  readonly first: string;
  readonly drip: string;
}

const KINDS: readonly Kind[] = [
  { name: 'says nothing', tls: false, first: '', drip: '' },
  { name: 'half a handshake', tls: false, first: '\x16\x03\x01\x02\x00\x01', drip: '\0\0\0\0' },
  { name: 'nothing after the handshake', tls: true, first: '', drip: '' },
  { name: 'a head by drips', tls: true, first: 'GET / HTTP/1.1\r\n', drip: 'x-a: b\r\n'.repeat(9) },
  { name: 'a body by drips', tls: true, first: bodyHead(), drip: '{"a":"bcdefghijklmnop' },
  { name: 'stays after an answer', tls: true, first: certificateRequest(), drip: '' },
];

function bodyHead(): string {
  return 'POST /j/enrol HTTP/1.1\r\nhost: a\r\ncontent-length: 4000\r\n\r\n';
}

function certificateRequest(): string {
  return `GET /c/${kid} HTTP/1.1\r\nhost: a\r\n\r\n`;
}

const livedMs: number[] = [];
const openNow = new Set<Socket>();
const byKind: Record<string, number> = {};

function hold(number: number): void {
  const kind = KINDS[number % KINDS.length];
  const localAddress = order.addresses[number % order.addresses.length];
  if (kind === undefined || localAddress === undefined) return;
  let startedAt = performance.now();
  const bare = connectPlain({ host, port, localAddress });
  const socket = kind.tls ? connect({ socket: bare, rejectUnauthorized: false }) : bare;
  openNow.add(socket);
  for (const each of new Set<Socket>([bare, socket])) each.on('error', () => bare.destroy());
  socket.once(kind.tls ? 'secureConnect' : 'connect', () => {
    socket.write(Buffer.from(kind.first, 'latin1'));
    void drip(socket, kind.drip);
  });
  bare.once('connect', () => {
    startedAt = performance.now();
  });
  socket.resume();
  bare.once('close', () => {
    openNow.delete(socket);
    const lived = performance.now() - startedAt;
    livedMs.push(lived);
    byKind[kind.name] = Math.max(byKind[kind.name] ?? 0, Math.round(lived));
  });
}

async function drip(socket: Socket, text: string): Promise<void> {
  for (const character of text) {
    await linger(DRIP_MS);
    if (socket.destroyed) return;
    socket.write(Buffer.from(character, 'latin1'));
  }
}

const { connections, seconds } = order;
const opened = await atRate(connections / seconds, seconds, hold);
await linger(order.waitMs);
const left = openNow.size;
for (const socket of openNow) socket.destroy();
const longestMs = Math.round(Math.max(0, ...livedMs));
report({ opened, left, longestMs, byKind } satisfies SlowlorisResult);
