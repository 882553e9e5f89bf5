/** The scenarios of crowds in short: few hosts, a small file; what they count must hold, not how fast. */
import assert from 'node:assert/strict';
import type { Report } from './report.js';
import { crowd } from './scenarios/crowd.js';
import { holder } from './scenarios/holder.js';
import { kill } from './scenarios/kill.js';
import { missingProduct, skipIf } from './skip.js';

/** Figures of time belong to the long form, on a quiet machine. */
const OF_TIME = /ratio|ms|originCopies$/;

function wrong({ targets }: Report): string[] {
  const counted = targets.filter(({ name, pass }) => !pass && !OF_TIME.test(name));
  return counted.map(({ name, value }) => `${name}: ${value}`);
}

describe('a crowd of hosts', () => {
  before(skipIf(crowd.missing));
  before(skipIf(missingProduct));

  it('takes a new file over the line once, all of them at once', async () => {
    const report = await crowd.run({ hosts: 4, sizeBytes: 4_000_000 });
    assert.deepEqual(wrong(report), []);
    assert.equal(report.rows[0]?.['originCopies'], 1);
  });

  it('takes what one of them holds from each other, and nothing over the line', async () => {
    assert.deepEqual(wrong(await holder.run({ hosts: 4, sizeBytes: 8_000_000 })), []);
  });

  it('goes on when the host that downloads is killed', async () => {
    const report = await kill.run({ hosts: 4, runs: 1, sizeBytes: 6_000_000 });
    assert.deepEqual(wrong(report), []);
  });
});
