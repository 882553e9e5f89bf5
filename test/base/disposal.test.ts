/** One owner for many lifetimes: reverse order, once, each even if an earlier one failed. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { assert, unreachable } from '@peerage/core/base/assert.js';
import { DisposableStore } from '@peerage/core/base/disposal.js';

describe('a disposable store', () => {
  it('disposes of the last first and waits for each before the next', async () => {
    const store = new DisposableStore();
    const seen: string[] = [];
    let finish = () => {};
    const slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    store.onDispose(() => void seen.push('first'));
    store.onDispose(async () => {
      seen.push('slow begins');
      await slow;
      seen.push('slow ends');
    });
    store.onDispose(() => void seen.push('last'));
    const done = store.dispose();
    await Promise.resolve();
    await Promise.resolve();
    deepEqual(seen, ['last', 'slow begins']);
    finish();
    await done;
    deepEqual(seen, ['last', 'slow begins', 'slow ends', 'first']);
  });

  it('disposes once, however often and from wherever it is asked', async () => {
    const store = new DisposableStore();
    let count = 0;
    store.onDispose(() => {
      count += 1;
    });
    await Promise.all([store.dispose(), store.dispose()]);
    await store.dispose();
    equal(count, 1);
  });

  it('goes on after a failure and reports all of them together, each time', async () => {
    const store = new DisposableStore();
    const seen: string[] = [];
    const one = new Error('one');
    const two = new Error('two');
    store.onDispose(() => void seen.push('a'));
    store.onDispose(() => Promise.reject(one));
    store.onDispose(() => void seen.push('b'));
    store.onDispose(() => {
      throw two;
    });
    for (let time = 0; time < 2; time += 1) {
      await rejects(store.dispose(), (error) => {
        ok(error instanceof AggregateError);
        deepEqual(error.errors, [two, one]);
        return true;
      });
    }
    deepEqual(seen, ['b', 'a']);
  });

  it('returns what it takes, and takes what is added while it disposes', async () => {
    const store = new DisposableStore();
    const seen: string[] = [];
    const item = { dispose: () => void seen.push('item') };
    equal(store.add(item), item);
    store.onDispose(() => store.onDispose(() => void seen.push('late')));
    await store.dispose();
    deepEqual(seen, ['late', 'item']);
  });
});

describe('an assertion', () => {
  it('says which invariant broke', () => {
    assert(true, 'nothing');
    let message = '';
    try {
      assert(false, 'a table is full');
    } catch (error) {
      message = String(error);
    }
    equal(message, 'Error: invariant broken: a table is full');
  });

  it('names the value that no branch expected', () => {
    let message = '';
    try {
      unreachable({ type: 'new' } as never);
    } catch (error) {
      message = String(error);
    }
    ok(message.includes('{"type":"new"}'));
  });
});
