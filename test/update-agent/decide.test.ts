/** Which version a node goes to: newest, pinned, recalled, canary, never backwards by itself. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { compareVersions, decide, type Rules, type Standing, turnOf } from '@peerage/update-agent';
import { release } from './rig.js';

const NOW_MS = 1_000_000;

function standing(change: Partial<Standing> = {}): Standing {
  return {
    ...{ component: 'list', installed: '5', kept: ['4', '5'], newest: '5' },
    ...{ heardAtMs: NOW_MS, turn: 0.5 },
    ...change,
  };
}

function rules(change: Partial<Rules> = {}): Rules {
  return { pins: {}, recalls: [], ...change };
}

function outcome(where: Standing, offered: string | undefined, by: Rules): string {
  const found = decide(where, offered === undefined ? undefined : release(offered), by, NOW_MS);
  if (found.kind === 'update') return `update ${found.release.version}`;
  return found.kind === 'back' ? `back ${found.version}: ${found.reason}` : found.reason;
}

const recall = { component: 'list', version: '5', backTo: '4' };

describe('update agent: versions', () => {
  it('orders counters, dates and dotted versions as people do', () => {
    const pairs = [
      ['9', '10'],
      ['27499', '27500'],
      ['2611221030', '2611230000'],
      ['1.9.3', '1.10'],
      ['1.10', '1.10.1'],
      ['2026-11-22T09', '2026-11-22T10'],
    ] as const;
    for (const [older, newer] of pairs) {
      ok(compareVersions(older, newer) < 0, `${older} < ${newer}`);
      ok(compareVersions(newer, older) > 0, `${newer} > ${older}`);
    }
    equal(compareVersions('007', '7'), 0);
  });
});

describe('update agent: the decision', () => {
  it('takes what is newer, and keeps what is current', () => {
    equal(outcome(standing(), '6', rules()), 'update 6');
    equal(outcome(standing(), '5', rules()), 'current');
    equal(outcome(standing(), undefined, rules()), 'nothing-offered');
    const bare = standing({ installed: undefined, kept: [], newest: undefined });
    equal(outcome(bare, '1', rules()), 'update 1');
  });

  it('refuses to go back because somebody offers less', () => {
    equal(outcome(standing(), '4', rules()), 'older-offered');
    equal(outcome(standing({ installed: '4' }), '4', rules()), 'older-offered');
  });

  it('restores the newest that was verified if somebody took it away', () => {
    equal(outcome(standing({ installed: '3' }), '5', rules()), 'update 5');
  });

  it('holds a pin against newer versions and goes to it from others', () => {
    equal(outcome(standing(), '6', rules({ pins: { list: '5' } })), 'pinned');
    equal(outcome(standing(), '6', rules({ pins: { list: '4' } })), 'back 4: pinned');
    equal(outcome(standing(), '6', rules({ pins: { list: '6' } })), 'update 6');
    equal(outcome(standing(), '6', rules({ pins: { list: '2' } })), 'no-way-back');
  });

  it('leaves a recalled version, does not take it, and takes the one after it', () => {
    const by = rules({ recalls: [recall] });
    equal(outcome(standing(), '5', by), 'back 4: recalled');
    equal(outcome(standing({ installed: '4' }), '5', by), 'recalled');
    equal(outcome(standing({ installed: '4' }), '6', by), 'update 6');
    equal(outcome(standing({ installed: '4' }), '4', by), 'current');
  });

  it('keeps a recalled version while there is nothing to go back to', () => {
    const by = rules({ recalls: [recall] });
    equal(outcome(standing({ kept: ['5'] }), '5', by), 'no-way-back');
    equal(outcome(standing({ kept: ['5'] }), undefined, by), 'no-way-back');
    equal(outcome(standing({ kept: ['5'] }), '6', by), 'update 6', 'forward is a way, too');
    const both = rules({ recalls: [recall, { component: 'list', version: '6', backTo: '4' }] });
    equal(outcome(standing({ kept: ['5'] }), '6', both), 'no-way-back');
  });

  it('follows recalls of recalls, and a circle of them nowhere', () => {
    const further = { component: 'list', version: '4', backTo: '3' };
    const where = standing({ kept: ['3', '4', '5'] });
    equal(outcome(where, '5', rules({ recalls: [recall, further] })), 'back 3: recalled');
    const circle = { component: 'list', version: '4', backTo: '5' };
    equal(outcome(where, '5', rules({ recalls: [recall, circle] })), 'recalled');
  });

  it('lets the canary share go first and the others after their wait', () => {
    const canary = { share: 0.2, waitMs: 60_000 };
    equal(outcome(standing({ turn: 0.1 }), '6', rules({ canary })), 'update 6');
    const waiting = decide(standing(), release('6'), rules({ canary }), NOW_MS);
    const untilMs = NOW_MS + 60_000;
    deepEqual(waiting, { kind: 'stay', component: 'list', reason: 'canary', untilMs });
    const later = standing({ heardAtMs: NOW_MS - 60_000 });
    equal(outcome(later, '6', rules({ canary })), 'update 6');
  });

  it('never makes a node without any version wait', () => {
    const bare = standing({ installed: undefined, kept: [], newest: undefined });
    equal(outcome(bare, '6', rules({ canary: { share: 0, waitMs: 60_000 } })), 'update 6');
  });

  it('draws another order of the nodes for each version, about evenly', () => {
    const nodes = Array.from({ length: 400 }, (_, at) => `node${at}`);
    const first = (version: string) => nodes.filter((node) => turnOf(node, 'c', version) < 0.25);
    ok(first('1').length > 60 && first('1').length < 140, `${first('1').length} of 400`);
    ok(first('1').filter((node) => first('2').includes(node)).length < first('1').length);
  });
});
