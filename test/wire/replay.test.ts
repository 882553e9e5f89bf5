/** The replay window (§2.4): every number once, late ones too, old ones never. */
import { equal, ok } from 'node:assert/strict';
import { SeededRandom } from '@peerage/core/base/random.js';
import { ReplayWindows } from '@peerage/core/wire/replay.js';

const WINDOW = 1024;

/** Numbers of one run that a table says to accept, then whether others are new. */
function after(accepted: readonly number[]): (seq: number) => boolean {
  const windows = new ReplayWindows();
  for (const seq of accepted) windows.accept('kid', 'boot', seq);
  return (seq) => windows.isNew('kid', 'boot', seq);
}

describe('the replay window', () => {
  const table: Array<[what: string, accepted: number[], fresh: number[], seen: number[]]> = [
    ['nothing heard: everything is new', [], [0, 1, 5000, Number.MAX_SAFE_INTEGER], []],
    ['one heard: only that one is not', [7], [0, 6, 8], [7]],
    ['in order', [1, 2, 3], [0, 4], [1, 2, 3]],
    ['out of order', [3, 1], [2, 4], [1, 3]],
    ['the last place of the window', [0, WINDOW - 1], [1, WINDOW - 2], [0, WINDOW - 1]],
    ['the first place beyond it', [0, WINDOW], [1, WINDOW + 1], [0, WINDOW]],
    ['a jump by the whole window', [5, 5 + WINDOW], [6, 4 + WINDOW], [5, 4, 5 + WINDOW]],
    ['a jump over everything', [5, 1e6], [1e6 - WINDOW + 1, 1e6 + 1], [5, 1e6 - WINDOW, 1e6]],
    [
      'the largest number',
      [Number.MAX_SAFE_INTEGER],
      [Number.MAX_SAFE_INTEGER - 1],
      [0, Number.MAX_SAFE_INTEGER],
    ],
  ];
  for (const [what, accepted, fresh, seen] of table) {
    it(what, () => {
      const isNew = after(accepted);
      for (const seq of fresh) ok(isNew(seq), `${seq} is new`);
      for (const seq of seen) equal(isNew(seq), false, `${seq} is not`);
    });
  }

  it('is asked without being changed', () => {
    const windows = new ReplayWindows();
    ok(windows.isNew('kid', 'boot', 5));
    ok(windows.isNew('kid', 'boot', 5));
    windows.accept('kid', 'boot', 1);
    ok(windows.isNew('kid', 'boot', 5_000_000));
    equal(windows.isNew('kid', 'boot', 1), false);
    ok(windows.isNew('kid', 'boot', 0));
  });

  it('each run of each sender has its own', () => {
    const windows = new ReplayWindows();
    windows.accept('a', 'x', 1);
    equal(windows.isNew('a', 'x', 1), false);
    ok(windows.isNew('a', 'y', 1));
    ok(windows.isNew('b', 'x', 1));
  });

  it('agrees with a list of all numbers under reordering, repetition and loss', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = new SeededRandom(seed);
      const windows = new ReplayWindows();
      const accepted = new Set<number>();
      let highest = -1;
      for (let step = 0; step < 2000; step += 1) {
        const spread = [3, 40, 1500, 5000][random.uint32() % 4] ?? 3;
        const seq = Math.max(0, highest + 2 - (random.uint32() % spread));
        const expected = seq > highest - WINDOW && !accepted.has(seq);
        equal(windows.isNew('k', 'b', seq), expected, `seed ${seed}, step ${step}, number ${seq}`);
        if (!expected || random.fraction() < 0.1) continue;
        windows.accept('k', 'b', seq);
        accepted.add(seq);
        highest = Math.max(highest, seq);
      }
    }
  });

  it('remembers 4096 runs; the one unheard for longest is forgotten first', () => {
    const windows = new ReplayWindows();
    for (let i = 0; i < 4096; i += 1) windows.accept('k', `run-${i}`, 1);
    windows.accept('k', 'run-0', 2);
    windows.accept('k', 'one-more', 1);
    equal(windows.isNew('k', 'run-0', 1), false);
    equal(windows.isNew('k', 'run-2', 1), false);
    ok(windows.isNew('k', 'run-1', 1));
  });
});
