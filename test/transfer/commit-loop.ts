/**
 * A program that commits to a store without end, so that `store-kill.test` can kill it in the
 * middle: prints a line when a commit is done, and before and after it purges something.
 *
 *   node commit-loop.js DIRECTORY ROUND
 */
import { writeSync } from 'node:fs';
import { ObjectStore } from '@peerage/core/transfer/store.js';
import { contentOf, keep } from '../fakes/content.js';

const [directory = '', round = ''] = process.argv.slice(2);
const store = await ObjectStore.open({
  directory,
  quotaBytes: 1e12,
  logger: { log: () => undefined },
});
const say = (line: string) => writeSync(1, `${line}\n`);

/** Commits one object after the other: new URLs, and one that changes each time. */
async function lane(name: string): Promise<void> {
  const hot = `https://origin.example/hot-${name}`;
  for (let i = 0; ; i += 1) {
    const url = `https://origin.example/${round}-${name}-${i}`;
    await keep(store, url, contentOf(url, (i * 7919) % 600_000));
    say(`done ${url}`);
    const version = Number(round) * 1e6 + i;
    await keep(store, hot, contentOf(`${hot} ${version}`, 1000), { fetchedAt: version });
    say(`done ${hot} ${version}`);
    if (i % 5 === 4) {
      const gone = `https://origin.example/${round}-${name}-${i - 2}`;
      say(`purging ${gone}`);
      await store.purge(gone);
      say(`purged ${gone}`);
    }
  }
}

await Promise.all([lane('a'), lane('b'), lane('c')]);
