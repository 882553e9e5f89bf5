/** The verification budget (§2.4): a flood of forgeries is cheap, honest senders never pay. */
import { equal, ok } from 'node:assert/strict';
import { VerifyBudget } from '@peerage/core/wire/budget.js';

/** How many of `count` checks at `now` the budget allows. */
function allowed(budget: VerifyBudget, source: string, now: number, count: number): number {
  let taken = 0;
  for (let i = 0; i < count; i += 1) if (budget.take(source, now)) taken += 1;
  return taken;
}

describe('the verification budget', () => {
  it('allows 40 failing checks at once, then 20 a second', () => {
    const budget = new VerifyBudget();
    equal(allowed(budget, 'a', 0, 1000), 40);
    equal(allowed(budget, 'a', 49, 1000), 0);
    equal(allowed(budget, 'a', 51, 1000), 1);
    equal(allowed(budget, 'a', 1051, 1000), 20);
  });

  it('allows no more than 40 after any silence', () => {
    const budget = new VerifyBudget();
    allowed(budget, 'a', 0, 100);
    equal(allowed(budget, 'a', 1e9, 1000), 40);
  });

  it('bounds a flood: 10,000 forgeries in a second cost at most 60 checks', () => {
    const budget = new VerifyBudget();
    let taken = 0;
    for (let i = 0; i < 10_000; i += 1) if (budget.take('a', i / 10)) taken += 1;
    ok(taken <= 60, `${taken}`);
    ok(taken >= 55, `${taken}`);
  });

  it('a check that succeeds costs nothing, at any rate', () => {
    const budget = new VerifyBudget();
    for (let i = 0; i < 10_000; i += 1) {
      ok(budget.take('a', 0), `${i}`);
      budget.giveBack('a');
    }
  });

  it('giving back never saves up more than there was', () => {
    const budget = new VerifyBudget();
    for (let i = 0; i < 100; i += 1) {
      budget.take('a', 0);
      budget.giveBack('a');
      budget.giveBack('a');
    }
    equal(allowed(budget, 'a', 0, 1000), 40);
  });

  it('one source does not spend what another has', () => {
    const budget = new VerifyBudget();
    allowed(budget, 'a', 0, 1000);
    equal(allowed(budget, 'b', 0, 1000), 40);
  });

  it('giving back to a source that is not known does nothing', () => {
    const budget = new VerifyBudget();
    budget.giveBack('a');
    equal(allowed(budget, 'a', 0, 1000), 40);
  });

  it('remembers the 4096 sources that were last active', () => {
    const budget = new VerifyBudget();
    allowed(budget, 'a', 0, 40);
    for (let i = 0; i < 4095; i += 1) budget.take(`s-${i}`, 0);
    equal(budget.take('a', 0), false);
    for (let i = 4095; i < 8191; i += 1) budget.take(`s-${i}`, 0);
    // In these 2 ms there is one check more for strangers, and none of a's own.
    equal(budget.take('a', 2), true);
  });

  it('made-up sources have 1000 checks together and 500 a second, the proven their own', () => {
    const budget = new VerifyBudget();
    budget.take('proven', 0);
    budget.giveBack('proven');
    const flood = (now: number) => {
      return Array.from({ length: 3000 }, (_, i) => budget.take(`s-${i}-${now}`, now));
    };
    equal(flood(0).filter(Boolean).length, 999);
    equal(allowed(budget, 'proven', 0, 100), 40);
    equal(flood(1000).filter(Boolean).length, 500);
  });
});
