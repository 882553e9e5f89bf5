/**
 * `bench -- store`: taking objects in, and delivering them verified, beside plain files on the same
 * disk: what the store's promises (hash, attestation, synced files, journal) cost.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ObjectStore } from '@peerage/core/transfer/store.js';
import { keep } from '../fakes/content.js';
import { content } from '../lan/content.js';
import { type Report, type Row, rounded } from '../lan/report.js';
import { Workspace } from '../lan/workspace.js';
import { quantile } from '../sim/statistics.js';
import type { Bench, BenchOptions } from './bench.js';

const ROUNDS = 3;
const SIZES = [1024, 1024 ** 2, 64 * 1024 ** 2];
const RANGE_BYTES = 64 * 1024;
const QUOTA_BYTES = 8 * 1024 ** 3;

export const store: Bench = {
  name: 'store',
  summary: 'put, get and range of the object store beside plain files',
  missing: () => undefined,
  run,
};

async function run({ tiny, say }: BenchOptions): Promise<Report> {
  const workspace = new Workspace();
  try {
    const directory = join(workspace.directory, 'store');
    const logger = { log: () => undefined };
    const opened = await ObjectStore.open({ directory, quotaBytes: QUOTA_BYTES, logger });
    const plain = join(workspace.directory, 'plain');
    await mkdir(plain);
    const rows: Row[] = [];
    for (const sizeBytes of tiny ? SIZES.slice(0, 1) : SIZES) {
      rows.push(...(await measure(opened, plain, sizeBytes, tiny ? 1 : ROUNDS)));
      say(`${sizeBytes} bytes`);
    }
    await opened.close();
    return {
      scenario: 'store',
      options: { rounds: tiny ? 1 : ROUNDS, rangeBytes: RANGE_BYTES },
      rows,
      targets: [],
      notes: [
        'medians in milliseconds; both sides write, sync and rename; the store also hashes twice,',
        'signs, and writes piece hashes, attestation and journal; the files are in the page cache',
      ],
    };
  } finally {
    workspace.dispose();
  }
}

async function measure(
  opened: ObjectStore,
  plain: string,
  sizeBytes: number,
  rounds: number,
): Promise<Row[]> {
  const times = { put: [[], []], get: [[], []], range: [[], []] } as Record<string, number[][]>;
  const note = async (what: string, side: 0 | 1, work: () => Promise<void>) => {
    const start = performance.now();
    await work();
    times[what]?.[side]?.push(performance.now() - start);
  };
  for (let round = 0; round < rounds; round += 1) {
    const seed = `${sizeBytes} ${round}`;
    const bytes = Buffer.concat([...content(seed, 0, sizeBytes)]);
    const url = `http://origin.test/${encodeURIComponent(seed)}`;
    const path = join(plain, randomUUID());
    await note('put', 0, async () => void (await keep(opened, url, bytes)));
    await note('put', 1, () => writePlainly(path, bytes));
    const entry = opened.find(url, '*');
    if (entry === undefined) throw new Error('the store did not keep it');
    const end = Math.min(sizeBytes, RANGE_BYTES);
    for (const [what, to] of [
      ['get', sizeBytes],
      ['range', end],
    ] as const) {
      await note(what, 0, async () => {
        for await (const _ of opened.read(entry, 0, to));
      });
      await note(what, 1, () => readPlainly(path, to));
    }
    await opened.purge(url);
    await rm(path);
  }
  return Object.entries(times).map(([what, [ours = [], theirs = []]]) => ({
    bytes: sizeBytes,
    what,
    'store ms': rounded(quantile(ours, 0.5)),
    'plain ms': rounded(quantile(theirs, 0.5)),
  }));
}

async function writePlainly(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'wx');
  await file.write(bytes);
  await file.sync();
  await file.close();
}

/** With one SHA-256 over what was read, as a careful program would. */
async function readPlainly(path: string, to: number): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { end: to - 1 })) hash.update(chunk as Buffer);
  hash.digest();
}
