/** Tables that cannot grow without end: what falls out, and that nothing else does. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { BoundedMap, Counters } from '@peerage/core/base/bounded.js';
import { SeededRandom } from '@peerage/core/base/random.js';

describe('a bounded map', () => {
  it('pushes out the entry that was set longest ago and returns it', () => {
    const map = new BoundedMap<string, number>(2);
    equal(map.set('a', 1), undefined);
    equal(map.set('b', 2), undefined);
    equal(map.set('c', 3), 1);
    deepEqual(
      [...map],
      [
        ['b', 2],
        ['c', 3],
      ],
    );
  });

  it('keeps what was touched, but not what was only read', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    equal(map.touch('a'), 1);
    equal(map.get('b'), 2);
    equal(map.set('c', 3), 2);
    equal(map.has('a'), true);
  });

  it('replacing an entry pushes nothing out and makes it the most recent', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    equal(map.set('a', 9), undefined);
    equal(map.size, 2);
    equal(map.set('c', 3), 2);
    equal(map.get('a'), 9);
  });

  it('touching what is not there adds nothing', () => {
    const map = new BoundedMap<string, number>(2);
    equal(map.touch('a'), undefined);
    equal(map.size, 0);
  });

  it('works with room for one, and refuses to have none', () => {
    const map = new BoundedMap<string, number>(1);
    map.set('a', 1);
    equal(map.set('b', 2), 1);
    deepEqual([...map.keys()], ['b']);
    throws(() => new BoundedMap(0), /room for one/);
  });

  it('behaves like a list of the last used under any sequence of calls', () => {
    const random = new SeededRandom(7);
    const map = new BoundedMap<number, number>(8);
    let model: Array<[number, number]> = [];
    for (let step = 0; step < 5000; step += 1) {
      const key = random.uint32() % 12;
      const found = model.find(([name]) => name === key);
      const others = model.filter(([name]) => name !== key);
      switch (random.uint32() % 4) {
        case 0:
          equal(map.touch(key), found?.[1]);
          if (found !== undefined) model = [...others, found];
          break;
        case 1:
          equal(map.delete(key), found !== undefined);
          model = others;
          break;
        default: {
          model = [...others, [key, step]];
          const out = model.length > 8 ? model.shift()?.[1] : undefined;
          equal(map.set(key, step), out);
        }
      }
      deepEqual([...map], model);
    }
  });
});

describe('counters', () => {
  it('count by name and list themselves sorted', () => {
    const counters = new Counters();
    counters.add('b');
    counters.add('a', 5);
    counters.add('b');
    equal(JSON.stringify(counters.snapshot()), '{"a":5,"b":2}');
    equal(counters.get('none'), 0);
  });

  it('put further names together once there are enough, and lose no count', () => {
    const counters = new Counters(2);
    for (const name of ['a', 'b', 'c', 'd', 'a', 'c']) counters.add(name);
    deepEqual(counters.snapshot(), { a: 2, b: 1, other: 3 });
  });
});
