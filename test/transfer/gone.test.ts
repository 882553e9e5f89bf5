/** Copies that went are told of in the turn in which they did, and found by nobody any more. */
import { deepEqual, equal } from 'node:assert/strict';
import type { ObjectsGone } from '@peerage/core/ports/ports.js';
import { ObjectStore } from '@peerage/core/transfer/store.js';
import { contentOf, keep } from '../fakes/content.js';
import { RecordingLogger } from '../fakes/log.js';
import { member } from '../fakes/members.js';
import { useScratch } from '../fakes/scratch.js';

const content = contentOf('gone', 1000);
const url = (letter: string) => `https://origin.example/${letter}`;

describe('copies that went', () => {
  const scratch = useScratch();
  let store: ObjectStore;
  let told: ObjectsGone[];

  beforeEach(async () => {
    const logger = new RecordingLogger();
    store = await ObjectStore.open({ directory: scratch(), quotaBytes: 3000, logger });
    told = [];
    store.gone.add((gone) => told.push(gone));
  });
  afterEach(() => store.close());

  const what = () => told.map(({ reason, copies }) => [reason, ...copies.map((copy) => copy.url)]);

  it('all that a revoked node attested goes at once, before anything is awaited', async () => {
    const thief = member('thief');
    await keep(store, url('a'), contentOf('a', 10), {}, undefined, thief);
    await keep(store, url('b'), contentOf('b', 10), {}, undefined, thief);
    await keep(store, url('c'), contentOf('c', 10));
    const dropped = store.dropSigners(new Set(['thief']));
    deepEqual(what(), [['revoked', url('a'), url('b')]]);
    deepEqual([store.find(url('a'), '*'), store.find(url('b'), '*')], [undefined, undefined]);
    equal(await dropped, 2);
    equal(store.objects, 1);
  });

  it('a purge, a newer answer and the quota are told of, each with its reason', async () => {
    await keep(store, url('a'), content);
    const purged = store.purge(url('a'));
    deepEqual(what(), [['purged', url('a')]]);
    await purged;
    await keep(store, url('b'), contentOf('b1', 1000));
    await keep(store, url('b'), contentOf('b2', 1000));
    deepEqual(what().at(-1), ['replaced', url('b')]);
    await keep(store, url('c'), contentOf('c', 1500));
    await keep(store, url('d'), contentOf('d', 1000));
    deepEqual(what().at(-1), ['evicted', url('b')]);
    equal(told.length, 3);
  });

  it('who no longer listens is not told', async () => {
    const late: ObjectsGone[] = [];
    store.gone.add((gone) => late.push(gone)).dispose();
    await keep(store, url('a'), content);
    await store.purge(url('a'));
    deepEqual(late, []);
  });
});
