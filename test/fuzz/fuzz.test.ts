/** The short form of the fuzz: about two seconds of each target, with figures that must be large. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { SeededRandom } from '@peerage/core/base/random.js';
import { fuzzHttp } from './http.js';
import { composeAttributes, mutate } from './mutate.js';
import { isClean } from './report.js';
import { fuzz } from './targets.js';

const SHORT_MS = 2000;

function untilShortTime(): () => boolean {
  const endsAt = performance.now() + SHORT_MS;
  return () => performance.now() < endsAt;
}

describe('a short fuzz', () => {
  it('packets: nothing throws and no mutant is accepted', () => {
    const report = fuzz('packets', 1, untilShortTime());
    deepEqual(report.faults, []);
    ok(isClean(report));
    ok(report.inputs > 1000, `${report.inputs}`);
    // Mutants get past every stage of the door, else the fuzz would prove nothing.
    for (const stage of ['frame', 'encoding', 'attributes', 'schema', 'signature', 'signed ok']) {
      ok((report.outcomes[stage] ?? 0) > 0, `${stage} in ${JSON.stringify(report.outcomes)}`);
    }
  });

  it('differential: gate and parser read the same attributes', () => {
    const report = fuzz('differential', 1, untilShortTime());
    deepEqual(report.faults, []);
    ok(isClean(report));
    ok((report.outcomes['ok'] ?? 0) > report.inputs / 10, JSON.stringify(report.outcomes));
  });

  it('http: every front answers or closes, and gives nobody what is not his', async function () {
    this.timeout(60_000);
    const report = await fuzzHttp(1, untilShortTime());
    deepEqual(report.faults, []);
    ok(isClean(report));
    // Each is a connection of its own, most with a handshake: few on a machine that is busy.
    ok(report.inputs > 60, `${report.inputs}`);
    const fronts = new Set(Object.keys(report.outcomes).map((name) => name.split(':')[0]));
    equal(fronts.size, 6, JSON.stringify(report.outcomes));
  });

  it('the same seed gives the same inputs, another seed others', () => {
    const inputs = (seed: number) => {
      const random = new SeededRandom(seed);
      const corpus = [Buffer.from('<service a="1" b="2"/>'), Buffer.from('<service c="3"/>')];
      return Array.from({ length: 200 }, (_, i) => {
        return (i % 2 === 0 ? mutate(corpus, random) : composeAttributes(random)).toString('hex');
      });
    };
    deepEqual(inputs(5), inputs(5));
    ok(inputs(5).filter((input, i) => input === inputs(6)[i]).length < 20);
    equal(new Set(inputs(5)).size > 150, true);
  });
});
