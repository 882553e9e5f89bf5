/** Chance that a seed reproduces: the ground under every simulated run. */
import { deepEqual, equal, notDeepEqual, ok } from 'node:assert/strict';
import { SeededRandom } from '@peerage/core/base/random.js';

const draw = (random: SeededRandom, count = 50) =>
  Array.from({ length: count }, () => random.uint32());

describe('the seeded random', () => {
  it('gives the same numbers for the same seed and others for another', () => {
    deepEqual(draw(new SeededRandom(1)), draw(new SeededRandom(1)));
    notDeepEqual(draw(new SeededRandom(1)), draw(new SeededRandom(2)));
  });

  it('gives integers in [0, 2³²) and fractions in [0, 1), evenly', () => {
    const random = new SeededRandom(42);
    const bins = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i += 1) {
      const number = random.uint32();
      ok(Number.isInteger(number) && number >= 0 && number < 2 ** 32);
      const fraction = random.fraction();
      ok(fraction >= 0 && fraction < 1);
      const bin = Math.floor(fraction * 16);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    // 1000 expected in each; five standard deviations are 153.
    for (const count of bins) ok(Math.abs(count - 1000) < 153, bins.join(' '));
  });

  it('every bit of a number is set about half of the time', () => {
    const random = new SeededRandom(3);
    const set = new Array<number>(32).fill(0);
    for (let i = 0; i < 4000; i += 1) {
      const number = random.uint32();
      for (let bit = 0; bit < 32; bit += 1) set[bit] = (set[bit] ?? 0) + ((number >>> bit) & 1);
    }
    for (const count of set) ok(Math.abs(count - 2000) < 160, set.join(' '));
  });

  it('a fork depends on the seed and the label alone, not on what was drawn before', () => {
    const early = new SeededRandom(5).fork('node-1');
    const parent = new SeededRandom(5);
    draw(parent, 1000);
    deepEqual(draw(parent.fork('node-1')), draw(early));
    notDeepEqual(draw(parent.fork('node-2')), draw(parent.fork('node-1')));
    notDeepEqual(draw(new SeededRandom(6).fork('node-1')), draw(parent.fork('node-1')));
  });

  it('drawing from a fork does not disturb its parent', () => {
    const parent = new SeededRandom(9);
    const undisturbed = new SeededRandom(9);
    draw(parent.fork('x'));
    deepEqual(draw(parent), draw(undisturbed));
  });

  it('ten thousand nodes forked from one seed start with different numbers', () => {
    const parent = new SeededRandom(11);
    const first = new Set<string>();
    for (let i = 0; i < 10_000; i += 1) first.add(draw(parent.fork(`node-${i}`), 2).join());
    equal(first.size, 10_000);
  });

  it('takes any number for a seed', () => {
    for (const seed of [0, -1, 2 ** 32 + 1, 1.5]) equal(draw(new SeededRandom(seed)).length, 50);
    deepEqual(draw(new SeededRandom(2 ** 32 + 1)), draw(new SeededRandom(1)));
  });
});
