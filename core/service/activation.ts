/**
 * The sockets that the service manager opened for us (sd_listen_fds(3)). Node cannot ask where a
 * descriptor listens, so the system's table of sockets is read (proc(5), Linux only, as systemd).
 * Never throws: a socket that cannot be understood is left alone, and the port is opened as ever.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import type { HandedSocket } from '../host/handed-socket.js';

/** Descriptors are handed over from this number on. */
const FIRST_FD = 3;
const SOCKETS_MAX = 64;

/** What was handed to this process, and to no other. */
export function handedSockets(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number = process.pid,
): HandedSocket[] {
  if (Number(environment['LISTEN_PID']) !== pid) return [];
  const count = Math.min(Number(environment['LISTEN_FDS']) || 0, SOCKETS_MAX);
  const places = listeningPlaces();
  const names = (environment['LISTEN_FDNAMES'] ?? '').split(':');
  return Array.from({ length: Math.max(0, count) }, (_, index) => index).flatMap((index) => {
    const fd = FIRST_FD + index;
    const place = places.get(inodeOf(fd));
    return place === undefined ? [] : [{ plugin: names[index] ?? '', fd, ...place }];
  });
}

function inodeOf(fd: number): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? '';
  } catch {
    return '';
  }
}

interface Place {
  readonly address: string;
  readonly port: number;
}

/** Where IPv4 sockets listen, by the number of their inode. */
function listeningPlaces(): ReadonlyMap<string, Place> {
  let table = '';
  try {
    table = readFileSync('/proc/self/net/tcp', 'utf8');
  } catch {
    // No Linux.
  }
  const places = new Map<string, Place>();
  for (const line of table.split('\n').slice(1)) {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const match = /^([0-9A-F]{8}):([0-9A-F]{4})$/.exec(local);
    if (match === null || state !== LISTENING) continue;
    // The address stands there as a number in the machine's own order of bytes.
    const bytes = Buffer.from(match[1] ?? '', 'hex');
    const address = [...(LITTLE_ENDIAN ? bytes.reverse() : bytes)].join('.');
    places.set(inode, { address, port: Number.parseInt(match[2] ?? '', 16) });
  }
  return places;
}

const LISTENING = '0A';
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
