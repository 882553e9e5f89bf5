/** Prefixes and sets of them, compared with counting single addresses. */
import assert from 'node:assert/strict';
import { SeededRandom } from '@peerage/core/base/random.js';
import { difference, merged, without } from '@peerage/firewall/merge.js';
import { formatPrefix, lastOf, type Prefix, parsePrefix } from '@peerage/firewall/prefix.js';

const texts = (prefixes: readonly Prefix[]) => prefixes.map(formatPrefix);
const read = (...list: string[]) => list.map(parsePrefix);

/** Every address of prefixes within one small network. */
function addresses(prefixes: readonly Prefix[]): Set<bigint> {
  const all = new Set<bigint>();
  for (const prefix of prefixes) {
    for (let at = prefix.bits; at <= lastOf(prefix); at += 1n) all.add(at);
  }
  return all;
}

describe('firewall: prefixes', () => {
  it('are printed in the form of RFC 5952', () => {
    for (const [text, printed] of [
      ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['0:0:0:0:0:0:0:0', '::'],
      ['2001:db8::', '2001:db8::'],
      ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
      ['::1', '::1'],
    ] as const) {
      assert.equal(formatPrefix(parsePrefix(text)), printed, text);
    }
  });

  it('within others are dropped, neighbours are not joined, families are apart', () => {
    const list = read('192.0.2.128/25', '192.0.2.0/25', '192.0.2.7', '2001:db8::1', '192.0.2.0/25');
    assert.deepEqual(texts(merged(list)), ['192.0.2.0/25', '192.0.2.128/25', '2001:db8::1']);
    assert.deepEqual(texts(merged(read('0.0.0.0/1', '::/128'))), ['0.0.0.0/1', '::']);
  });

  it('lose exactly what is guarded', () => {
    assert.deepEqual(texts(without(parsePrefix('192.0.2.0/30'), read('192.0.2.1'))), [
      '192.0.2.0',
      '192.0.2.2/31',
    ]);
    assert.deepEqual(without(parsePrefix('192.0.2.7'), read('192.0.2.0/24')), []);
    assert.deepEqual(texts(without(parsePrefix('192.0.2.7'), read('2001:db8::/32'))), [
      '192.0.2.7',
    ]);
  });

  it('as sets are what counting their addresses says', () => {
    const random = new SeededRandom(20261122);
    const some = (count: number) =>
      Array.from({ length: count }, () => {
        const host = Math.floor(random.fraction() * 256);
        const length = 24 + Math.floor(random.fraction() * 9);
        return parsePrefix(`198.51.100.${host}/${length < 26 ? 32 : length}`);
      });
    for (let round = 0; round < 200; round += 1) {
      const [list, guards, other] = [some(12), merged(some(5)), merged(some(12))];
      const set = merged(list);
      assert.deepEqual(addresses(set), new Set([...addresses(list)].sort((a, b) => Number(a - b))));
      const guarded = addresses(guards);
      const left = addresses(set.flatMap((prefix) => without(prefix, guards)));
      assert.deepEqual(left, new Set([...addresses(set)].filter((at) => !guarded.has(at))));
      const { added, removed } = difference(set, other);
      const kept = set.filter((prefix) => !removed.includes(prefix));
      assert.deepEqual(texts(merged([...kept, ...added])), texts(other));
    }
  });
});
