/** What a plugin may announce, and how often; what is done with what comes in. */
import assert from 'node:assert/strict';
import { Counters } from '@peerage/core/base/bounded.js';
import { Announcements } from '@peerage/core/peering/announcements.js';
import { AdjustableClock } from '../fakes/clock.js';

function setUp() {
  const clock = new AdjustableClock();
  const counters = new Counters();
  return { clock, counters, announcements: new Announcements(clock, counters) };
}

const eight = Object.fromEntries('abcdefgh'.split('').map((key) => [key, 'x']));

describe('an announcement', () => {
  const refused: Array<[why: string, name: string, values: Record<string, string>]> = [
    ['whose name has capitals', 'Version', {}],
    ['without a name', '', {}],
    ['with nine values', 'a', { ...eight, i: 'x' }],
    ['with a value of 201 characters', 'a', { a: 'x'.repeat(201) }],
    ['with more than 700 bytes in all', 'a', { a: '€'.repeat(120), b: '€'.repeat(120) }],
    ['whose escapes take more than 700 bytes', 'a', { a: '&'.repeat(120) }],
    ['that names a key of the packet', 'a', { kid: 'x' }],
    ['that names the signature', 'a', { sig: 'x' }],
    ['with a line break', 'a', { a: 'x\ny' }],
    ['with half a character', 'a', { a: '\ud800' }],
  ];
  for (const [why, name, values] of refused) {
    it(`${why} is refused`, () => {
      const { announcements } = setUp();
      assert.throws(() => announcements.check('feed', name, values), {
        code: 'E_ANNOUNCEMENT_INVALID',
      });
    });
  }

  it('of eight values is let through, twenty at once, then five a second', () => {
    const { announcements, clock } = setUp();
    for (let i = 0; i < 20; i += 1) announcements.check('feed', 'a', eight);
    const tooMany = { code: 'E_ANNOUNCEMENT_RATE' };
    assert.throws(() => announcements.check('feed', 'a', eight), tooMany);
    announcements.check('other', 'a', eight);
    clock.advance(1000);
    for (let i = 0; i < 5; i += 1) announcements.check('feed', 'a', eight);
    assert.throws(() => announcements.check('feed', 'a', eight), tooMany);
  });

  it('of a chatty node is dropped and counted, those of others are heard', () => {
    const { announcements, counters } = setUp();
    const heard = new Map<string, number>();
    announcements.listen('feed', ({ from }) => heard.set(from, (heard.get(from) ?? 0) + 1));
    const say = (from: string) => announcements.deliver('feed', { name: 'a', values: {}, from });
    for (let i = 0; i < 100; i += 1) say('chatty');
    say('quiet');
    assert.deepEqual([heard.get('chatty'), heard.get('quiet')], [40, 1]);
    assert.equal(counters.get('custom-over-rate'), 60);
  });

  it('reaches the next listener although one throws, and is counted where nobody listens', () => {
    const { announcements, counters } = setUp();
    const heard: string[] = [];
    announcements.listen('feed', () => assert.fail('a listener of no use'));
    announcements.listen('feed', ({ name }) => heard.push(name));
    announcements.deliver('feed', { name: 'a', values: {}, from: 'n' });
    announcements.deliver('none', { name: 'a', values: {}, from: 'n' });
    assert.deepEqual(heard, ['a']);
    assert.deepEqual(
      [counters.get('custom-listener-failed'), counters.get('custom-undelivered')],
      [1, 1],
    );
  });

  it('has at most sixteen listeners a plugin', () => {
    const { announcements } = setUp();
    for (let i = 0; i < 16; i += 1) announcements.listen('feed', () => undefined);
    assert.throws(() => announcements.listen('feed', () => undefined), {
      code: 'E_ANNOUNCEMENT_INVALID',
    });
  });
});
