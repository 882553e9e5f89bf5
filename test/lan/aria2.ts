/**
 * aria2 on the same ground as Peerage: BitTorrent with the origin as its web seed and peers found on
 * the LAN by its local peer discovery; no tracker, no DHT. Everybody seeds until all have it.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './command.js';
import type { Crowd } from './crowd.js';
import type { OriginFile } from './origin-file.js';
import type { Place } from './place.js';
import { missingTools } from './tools.js';
import { until } from './until.js';

/** Everybody has it by then, also one after another over the line. */
const DEADLINE_MS = 600_000;
/** The size of a piece, the same as a flight's. */
const PIECE_BYTES = 256 * 1024;
const FILE = 'file';
const OPTIONS = [
  ...['--bt-enable-lpd=true', '--enable-dht=false', '--enable-dht6=false', '--seed-ratio=0.0'],
  ...['--file-allocation=none', '--summary-interval=0', '--bt-max-peers=0', '--quiet=true'],
];

/** Why aria2 cannot be compared with here, `undefined` if it can. */
export function missingAria2(): string | undefined {
  return missingTools(['aria2c']);
}

/** Lets all places take the file at once. */
export async function takeByAria2(places: readonly Place[], file: OriginFile): Promise<Crowd> {
  const torrent = torrentOf(file);
  for (const place of places) prepare(place, torrent);
  const beganAt = performance.now();
  const began = Date.now();
  const programs = places.map((place) => begin(place));
  try {
    await until('all have it', DEADLINE_MS, () => places.every(isDone) || undefined);
    return summed(places, file, beganAt, began);
  } finally {
    await Promise.all(programs.map((program) => program.stop()));
  }
}

function prepare(place: Place, torrent: Buffer): void {
  writeFileSync(join(place.directory, 'file.torrent'), torrent);
  const hook = join(place.directory, 'done.sh');
  writeFileSync(hook, `#!/bin/sh\ndate +%s%3N > ${join(place.directory, 'done')}\n`);
  chmodSync(hook, 0o755);
}

function begin(place: Place): Command {
  const hook = `--on-bt-download-complete=${join(place.directory, 'done.sh')}`;
  const where = ['--dir', place.directory, hook, join(place.directory, 'file.torrent')];
  return place.spawn('aria2c', [...OPTIONS, ...where]);
}

function isDone(place: Place): boolean {
  return doneAt(place) > 0;
}

/** When it had everything, milliseconds since 1970; 0 if it has not. */
function doneAt({ directory }: Place): number {
  const mark = join(directory, 'done');
  return existsSync(mark) ? Number(readFileSync(mark, 'utf8')) : 0;
}

function summed(places: readonly Place[], file: OriginFile, beganAt: number, began: number): Crowd {
  const taken = places.map((place) => {
    const got = readFileSync(join(place.directory, FILE));
    return {
      host: place.name,
      askedAt: beganAt,
      firstByteAt: 0,
      endedAt: beganAt + doneAt(place) - began,
      longestStallMs: 0,
      receivedBytes: got.length,
      identical: got.equals(file.bytes),
      cacheStatus: '',
      failure: '',
    };
  });
  const lastMs = Math.max(...taken.map(({ endedAt }) => endedAt)) - beganAt;
  const identical = taken.filter((one) => one.identical).length;
  return { taken, beganAt, lastMs, spreadMs: 0, longestStallMs: 0, identical };
}

/** A single-file torrent with the origin as its web seed (BEP 3, BEP 19). */
function torrentOf({ bytes, url }: OriginFile): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    pieces.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + PIECE_BYTES))
        .digest(),
    );
  }
  const info = [
    `d6:lengthi${bytes.length}e4:name${FILE.length}:${FILE}`,
    `12:piece lengthi${PIECE_BYTES}e6:pieces${pieces.length * 20}:`,
  ];
  return Buffer.concat([
    Buffer.from(`d4:info${info.join('')}`),
    ...pieces,
    Buffer.from(`e8:url-list${url.length}:${url}e`),
  ]);
}
