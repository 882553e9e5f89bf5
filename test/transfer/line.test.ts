/** Who is sent to whom, so that a crowd becomes a chain or a tree in which nobody waits in a circle. */
import assert from 'node:assert/strict';
import { Line } from '@peerage/core/transfer/line.js';

const relay = (kid: string) => ({ kid, path: `/f/${kid}` });

/** Lets `count` nodes come; each takes from the first one named that has room. */
function crowd(fanOut: number, count: number) {
  const source = new Line(fanOut);
  const lines = new Map<string, Line>();
  const parents = new Map<string, string>();
  let asked = 0;
  for (let i = 0; i < count; i += 1) {
    const kid = `n${i}`;
    const queue = [...(source.join(relay(kid)) ?? [])];
    asked += 1;
    if (queue.length === 0) parents.set(kid, 'source');
    for (const other of queue) {
      const line = lines.get(other.kid) ?? new Line(fanOut);
      lines.set(other.kid, line);
      asked += 1;
      const further = line.join(relay(kid));
      if (further === undefined) {
        parents.set(kid, other.kid);
        break;
      }
      queue.push(...further);
    }
  }
  return { parents, asked };
}

function depthOf(parents: ReadonlyMap<string, string>, kid: string): number {
  const parent = parents.get(kid);
  return parent === undefined || parent === 'source' ? 1 : 1 + depthOf(parents, parent);
}

describe('the line of those who want the same', () => {
  it('is a chain for a fan-out of one, each asking two at most', () => {
    const { parents, asked } = crowd(1, 200);
    assert.equal(parents.size, 200);
    assert.equal(depthOf(parents, 'n199'), 200);
    assert.ok(asked <= 400, `${asked} requests`);
  });

  it('is a balanced tree for a fan-out of two, each asking two at most', () => {
    const { parents, asked } = crowd(2, 200);
    assert.equal(parents.size, 200);
    const depths = [...parents.keys()].map((kid) => depthOf(parents, kid));
    assert.equal(Math.max(...depths), 7);
    assert.ok(asked <= 400, `${asked} requests`);
  });

  it('never names one who came later, also to one who comes again', () => {
    const line = new Line(1);
    for (const kid of ['a', 'b', 'c', 'd']) line.join(relay(kid));
    line.leave('a', true);
    assert.equal(line.join(relay('e')), undefined);
    assert.deepEqual(line.join(relay('c')), [relay('b'), relay('a')]);
    assert.equal(line.join(relay('a')), undefined);
  });

  it('does not name those whose body broke off until they come again', () => {
    const line = new Line(1);
    for (const kid of ['a', 'b']) line.join(relay(kid));
    line.leave('a', false);
    assert.ok(line.idle);
    assert.equal(line.join(relay('c')), undefined);
    assert.deepEqual(line.join(relay('d')), [relay('c'), relay('b')]);
    assert.equal(line.join(relay('a')), undefined);
    assert.deepEqual(line.join(relay('e')), [relay('d'), relay('c'), relay('b'), relay('a')]);
  });

  it('serves one who takes two bodies until both have ended', () => {
    const line = new Line(1);
    for (let i = 0; i < 2; i += 1) assert.equal(line.join(relay('a')), undefined);
    line.leave('a', true);
    assert.deepEqual(line.join(relay('b')), [relay('a')]);
    line.leave('a', true);
    assert.ok(line.idle);
  });

  it('forgets the oldest of a long line', () => {
    const line = new Line(1);
    for (let i = 0; i < 1000; i += 1) line.join(relay(`n${i}`));
    const named = line.join(relay('last')) ?? [];
    assert.equal(named.length, 16);
    assert.deepEqual(named[0], relay('n999'));
  });
});
