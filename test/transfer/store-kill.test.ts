/** The store of a process that is killed in the middle of commits, again and again. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SeededRandom } from '@peerage/core/base/random.js';
import { ObjectStore } from '@peerage/core/transfer/store.js';
import { contentOf, readEntry } from '../fakes/content.js';
import { RecordingLogger } from '../fakes/log.js';
import { useScratch } from '../fakes/scratch.js';

const SEED = 4711;
const ROUNDS = 10;
const PROGRAM = fileURLToPath(new URL('./commit-loop.js', import.meta.url));

/** What the killed program had said: the latest word on each URL. */
class Promises {
  readonly kept = new Set<string>();
  readonly purged = new Set<string>();
  readonly hot = new Map<string, number>();

  hear(line: string): void {
    const [word = '', url = '', version] = line.split(' ');
    if (word === 'done' && version !== undefined) this.hot.set(url, Number(version));
    else if (word === 'done') this.kept.add(url);
    else this.kept.delete(url);
    if (word === 'purged') this.purged.add(url);
  }
}

/** Runs the program and kills it some lines after it began. */
async function runAndKill(
  directory: string,
  round: number,
  random: SeededRandom,
  promises: Promises,
): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, directory, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.ok(child.stdout !== null);
  const killAtLine = 1 + Math.floor(random.fraction() * 30);
  const turns = Math.floor(random.fraction() * 200);
  let lines = 0;
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    promises.hear(line);
    lines += 1;
    if (lines !== killAtLine) continue;
    for (let i = 0; i < turns; i += 1) await turn();
    child.kill('SIGKILL');
  }
  assert.deepEqual(await exited, [null, 'SIGKILL']);
}

describe('the store of a killed process', () => {
  const scratch = useScratch();

  it(`keeps every commit that was done, and nothing false (seed ${SEED})`, async function () {
    this.timeout(120_000);
    const directory = scratch();
    const random = new SeededRandom(SEED);
    const promises = new Promises();
    for (let round = 0; round < ROUNDS; round += 1) {
      await runAndKill(directory, round, random, promises);
      const store = await ObjectStore.open({
        directory,
        quotaBytes: 1e12,
        logger: new RecordingLogger(),
      });
      for (const url of promises.kept) assert.ok(store.find(url, '*'), `${url}, round ${round}`);
      for (const url of promises.purged) assert.equal(store.find(url, '*'), undefined, url);
      for (const [url, version] of promises.hot) {
        const found = store.find(url, '*')?.attestation.fetchedAt ?? -1;
        assert.ok(found >= version, `${url} fell back to ${found} from ${version}`);
      }
      for (const entry of store.entries()) {
        const { url, sizeBytes, fetchedAt } = entry.attestation;
        const seed = url.includes('/hot-') ? `${url} ${fetchedAt}` : url;
        assert.deepEqual(await readEntry(store, entry), contentOf(seed, sizeBytes), url);
      }
      const files = await readdir(join(directory, 'objects'), { recursive: true });
      const objects = files.filter((name) => name.length > 2);
      assert.equal(objects.length, 2 * store.objects, 'each object with its pieces, nothing else');
    }
    assert.ok(promises.kept.size > ROUNDS, 'something was committed in each round');
  });
});
