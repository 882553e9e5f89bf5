/** The criteria: ordered levels, the class as their summary, the last one a tie-break (§8.3). */
import assert from 'node:assert/strict';
import { SeededRandom } from '@peerage/core/base/random.js';
import { type Candidate, LEVELS, NO_RULES } from '@peerage/core/protocol/election-criteria.js';
import { criteria, FIRST, JUDGE, LAST, SECOND, THIRD } from './election-stage.js';

function candidate(name: string, levels: Readonly<Record<string, number>>): Candidate {
  const judged = JUDGE.candidate(name, criteria(levels), NO_RULES);
  assert.ok(judged !== undefined);
  return judged;
}

function some(count: number): Candidate[] {
  const random = new SeededRandom(11);
  return Array.from({ length: count }, (_, i) => {
    const levels = Object.entries(LEVELS).map(([name, { least, most }]) => {
      const often = name === 'weight' ? random.uint32() % 3 < 2 : false;
      const value = often ? 0 : least + (random.uint32() % (most - least + 1));
      return [name, value] as const;
    });
    return candidate(`n${i}`, Object.fromEntries(levels));
  });
}

describe('the criteria of an election (§8.3)', () => {
  it('decide level by level, each breaking the tie of the one above', () => {
    const rows = [
      { weight: 1, internet: 0 },
      { internet: 1, bandwidth: 7, cpu: 1 },
      { internet: 1, bandwidth: 7, cpu: 0, uptime: 3 },
      { internet: 1, bandwidth: 6, cpu: 7, os: 2, wired: 1 },
      { internet: 0, bandwidth: 7, cpu: 7 },
      { weight: -1, internet: 1, bandwidth: 7 },
    ].map((levels, i) => candidate(`n${i}`, levels));
    const sorted = [...rows].reverse().sort((a, b) => JUDGE.compare(a, b));
    assert.deepEqual(
      sorted.map(({ name }) => name),
      rows.map(({ name }) => name),
    );
  });

  it('break every tie in the end, by the name', () => {
    const [a, b] = [candidate('a', FIRST), candidate('b', FIRST)];
    assert.notEqual(JUDGE.compare(a, b), 0);
    assert.equal(Math.sign(JUDGE.compare(a, b)), -Math.sign(JUDGE.compare(b, a)));
    assert.equal(JUDGE.compare(a, candidate('a', FIRST)), 0);
  });

  it('are a total order in which the class never contradicts the levels (§8.5)', () => {
    const all = some(120).sort((a, b) => JUDGE.compare(a, b));
    for (const [i, a] of all.entries()) {
      for (const b of all.slice(i + 1)) {
        assert.ok(JUDGE.compare(a, b) < 0);
        assert.ok(a.class <= b.class, `${JSON.stringify(a)} before ${JSON.stringify(b)}`);
        assert.ok(!JUDGE.outclasses(b, a));
      }
    }
    assert.deepEqual(new Set(all.map((each) => each.class)), new Set([0, 1, 2, 3]));
  });

  it('give the classes of weight, Internet and bandwidth', () => {
    const classes = [FIRST, SECOND, THIRD, LAST].map((levels) => candidate('a', levels).class);
    assert.deepEqual(classes, [0, 1, 2, 3]);
  });

  it('let the admin pin a node above whatever others claim of themselves', () => {
    const rules = { pinned: 'old', excluded: new Set<string>() };
    const pinned = JUDGE.candidate('old', criteria(LAST), rules);
    const boaster = JUDGE.candidate('new', criteria({ ...FIRST, weight: 100 }), rules);
    assert.ok(pinned !== undefined && boaster !== undefined);
    assert.ok(JUDGE.compare(pinned, boaster) < 0 && JUDGE.outclasses(pinned, boaster));
  });

  const good = criteria(FIRST);
  const foreign: Array<[why: string, said: typeof good]> = [
    ['a level less', good.slice(1)],
    ['a level more', [...good, { name: 'mood', value: 1 }]],
    ['two levels exchanged', [...good.slice(0, -2), ...good.slice(-2).reverse()]],
    ['a value above the most', good.map((each) => ({ ...each, value: 1000 }))],
    ['a value below the least', good.map((each) => ({ ...each, value: -1000 }))],
    ['half a value', good.map((each) => ({ ...each, value: 0.5 }))],
    ['a name of the language', good.map((each) => ({ ...each, name: 'constructor' }))],
  ];
  for (const [why, said] of foreign) {
    it(`are refused with ${why}`, () => {
      assert.equal(JUDGE.candidate('a', said, NO_RULES), undefined);
    });
  }
});
