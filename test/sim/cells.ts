/** Pieces of work that do not depend on each other, each in a world of its own, on two threads. */
import { Worker } from 'node:worker_threads';
import type { Work } from './cell-worker.js';

const THREADS = 2;

/**
 * Does all of `works`, those that cost most first, so that no thread waits long for the other at the
 * end. @returns the results in the order of `works`
 */
export async function inThreads<Result>(
  works: readonly Work[],
  costOf: (work: Work) => number,
): Promise<Result[]> {
  const results = new Map<Work, Result>();
  const left = [...works].sort((one, other) => costOf(one) - costOf(other));
  const thread = async () => {
    for (let work = left.pop(); work !== undefined; work = left.pop()) {
      results.set(work, await inThread<Result>(work));
    }
  };
  await Promise.all(Array.from({ length: Math.min(THREADS, works.length) }, thread));
  return works.map((work) => results.get(work)).filter((result) => result !== undefined);
}

function inThread<Result>(work: Work): Promise<Result> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./cell-worker.js', import.meta.url), { workerData: work });
    worker.once('message', resolve).once('error', reject);
  });
}
