/** Rates and hours: pure arithmetic over a time that is passed in. */
import assert from 'node:assert/strict';
import { HOURS_PATTERN, isWithin, readHours } from '@peerage/core/base/hours.js';
import { Pace } from '@peerage/core/base/pace.js';

describe('a pace', () => {
  it('lets no more pass than its rate over any time, but for a tenth of a second', () => {
    const pace = new Pace(1000);
    let now = 0;
    for (let taken = 0; taken < 10_000; taken += 125) now += pace.take(125, now);
    assert.ok(now >= 9_800 && now <= 10_000, `${now} ms`);
    now += 60_000;
    assert.equal(pace.take(100, now), 0, 'idleness counts for little');
    assert.ok(pace.take(1000, now) >= 1000);
    assert.equal(pace.stepBytes, 125);
  });

  it('of nothing is no limit', () => {
    const pace = new Pace(0);
    assert.deepEqual([pace.take(1e12, 0), pace.stepBytes], [0, Number.POSITIVE_INFINITY]);
  });
});

describe('hours of the day', () => {
  it('are within from the first minute to the last, over midnight too', () => {
    const at = (text: string, hour: number, minute = 0) => {
      return isWithin(readHours(text), hour * 60 + minute);
    };
    assert.deepEqual([at('08:30-17:00', 8, 29), at('08:30-17:00', 8, 30)], [false, true]);
    assert.deepEqual([at('08:30-17:00', 16, 59), at('08:30-17:00', 17)], [true, false]);
    assert.deepEqual([at('18:00-06:00', 23), at('18:00-06:00', 5, 59)], [true, true]);
    assert.deepEqual([at('18:00-06:00', 6), at('18:00-06:00', 12)], [false, false]);
    assert.deepEqual([at('', 3), at('07:00-07:00', 3)], [true, true]);
  });

  it('are written in one way', () => {
    const pattern = new RegExp(HOURS_PATTERN);
    for (const text of ['', '00:00-23:59', '18:00-06:00']) assert.ok(pattern.test(text), text);
    for (const text of ['24:00-01:00', '8-9', '8:00-9:00', '08:60-09:00', '08:00-09:00 '])
      assert.ok(!pattern.test(text), text);
  });
});
