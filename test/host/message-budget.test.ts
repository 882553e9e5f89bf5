/** What a plugin's messages may cost: calls wait their turn, idle messages are a flood. */
import assert from 'node:assert/strict';
import { IDLE_MESSAGES_MAX, MessageBudget } from '@peerage/core/host/message-budget.js';

describe('the budget of a plugin’s messages', () => {
  let now = 0;
  const clock = { nowMs: () => now, wallMs: () => now };

  beforeEach(() => {
    now = 1000;
  });

  /** How many calls may begin at once, of so many. */
  function atOnce(budget: MessageBudget, calls: number): number {
    return Array.from({ length: calls }, () => budget.call()).filter((wait) => wait === undefined)
      .length;
  }

  it('lets 500 calls in 100 ms begin at once, and makes more wait', () => {
    const budget = new MessageBudget(clock);
    assert.equal(atOnce(budget, 600), 500);
    now += 50;
    assert.equal(atOnce(budget, 10), 0);
  });

  it('counts those that wait in the slices that they wait for', () => {
    const budget = new MessageBudget(clock);
    atOnce(budget, 1200);
    now += 100;
    assert.equal(atOnce(budget, 1), 0, 'the second 500 fill this slice');
    now += 100;
    assert.equal(atOnce(budget, 1000), 299, '201 that came before begin in this one');
  });

  it('forgets what is long past', () => {
    const budget = new MessageBudget(clock);
    atOnce(budget, 5000);
    now += 60_000;
    assert.equal(atOnce(budget, 501), 500);
  });

  it('makes a call wait for its slice, and no longer', async () => {
    const budget = new MessageBudget(clock);
    atOnce(budget, 500);
    now += 99;
    await budget.call();
  });

  it('takes too many messages that ask for nothing in a second for a flood', () => {
    const budget = new MessageBudget(clock);
    const flood = (count: number) => Array.from({ length: count }, () => budget.isFlood());
    assert.deepEqual(flood(IDLE_MESSAGES_MAX + 1).indexOf(true), IDLE_MESSAGES_MAX);
    now += 1000;
    assert.equal(flood(IDLE_MESSAGES_MAX).includes(true), false);
  });
});
