/** What is kept of senders' clocks over a restart, also when the disk or its content is bad. */
import { deepEqual, equal } from 'node:assert/strict';
import { ClockKeeper } from '@peerage/core/membership/clock-keeper.js';
import { type SenderClock, SenderClocks } from '@peerage/core/wire/clocks.js';
import { RecordingLogger } from '../fakes/log.js';

const NOW = 1_795_376_370_000;

function keeper(load: () => Promise<unknown>, save?: () => Promise<void>) {
  const clocks = new SenderClocks();
  const saved: Array<readonly SenderClock[]> = [];
  const logger = new RecordingLogger();
  const clock = { nowMs: () => 0, wallMs: () => NOW };
  const keep = async (list: readonly SenderClock[]) => {
    await save?.();
    saved.push(list);
  };
  return {
    clocks,
    saved,
    logger,
    kept: new ClockKeeper({ clocks, clock, logger, load, save: keep }),
  };
}

describe('the keeper of the clocks', () => {
  it('writes a sender down as soon as it is heard, and all at the end', async () => {
    const { clocks, saved, kept } = keeper(async () => undefined);
    await kept.start();
    clocks.heard('a', NOW + 5, NOW);
    await new Promise((resolve) => setImmediate(resolve));
    deepEqual(saved, [[{ kid: 'a', offsetMs: 5, newestTs: NOW + 5 }]]);
    clocks.heard('a', NOW + 105, NOW + 100);
    await kept.stop();
    deepEqual(saved.at(-1), [{ kid: 'a', offsetMs: 5, newestTs: NOW + 105 }]);
  });

  it('a crowd of new senders is written in few goes', async () => {
    const { clocks, saved, kept } = keeper(async () => undefined);
    await kept.start();
    for (let i = 0; i < 500; i += 1) clocks.heard(`kid-${i}`, NOW, NOW);
    await kept.stop();
    equal(saved.length <= 3, true);
    equal(saved.at(-1)?.length, 500);
  });

  it('takes what an earlier run left and passes over what is none of it', async () => {
    const good = { kid: 'a', offsetMs: 0, newestTs: NOW - 10 };
    const bad = [null, 7, {}, { kid: 1, offsetMs: 0, newestTs: 0 }, { ...good, offsetMs: 'x' }];
    const { clocks, kept } = keeper(async () => [...bad, good]);
    await kept.start();
    equal(clocks.isFromBefore('a', NOW - 1), true);
    equal(clocks.isFromBefore('a', NOW + 1), false);
    await kept.stop();
  });

  it('a file that cannot be read or written stops nobody', async () => {
    const broken = async () => {
      throw new Error('disk');
    };
    const { clocks, kept, logger } = keeper(broken, broken);
    await kept.start();
    clocks.heard('a', NOW, NOW);
    await kept.stop();
    deepEqual([...new Set(logger.lines.map(({ event }) => event))].sort(), [
      'clocks-not-read',
      'clocks-not-saved',
    ]);
  });
});
