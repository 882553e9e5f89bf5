/** Senders' clocks (PROTOCOL §2.4): no replay across a restart, and an alarm for a wrong clock. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { issueIdentity } from '@peerage/core/trust/authority.js';
import { type SenderClock, SenderClocks } from '@peerage/core/wire/clocks.js';
import { Opener } from '@peerage/core/wire/open.js';
import {
  BOOT,
  byeAttributes,
  certificateText,
  GROUP,
  makeStage,
  ON_LINK,
  outcome,
  type Stage,
  signed,
  WALL_MS,
} from './stage.js';

/** A run of the receiving node: it begins at `startedAt` with what the run before left. */
function run({ receiver, keyring }: Stage, left: readonly SenderClock[], startedAt: number) {
  const clocks = new SenderClocks();
  clocks.restore(left, startedAt);
  const opener = new Opener({ group: GROUP, ownKid: receiver.kid, keyring, clocks });
  let now = 0;
  const hear = (bytes: Buffer, wallMs: number) => {
    now += 1000;
    return outcome(opener.open(bytes, ON_LINK, now, wallMs));
  };
  return { clocks, hear };
}

/** What the sender says at a time of its own clock. */
const said = (stage: Stage, ts: number, seq = 1, boot = BOOT) =>
  signed(stage.sender.key, byeAttributes(stage.sender, { ts: String(ts), seq: String(seq), boot }));

describe('a restart of the receiver', () => {
  for (const skewMs of [0, 20_000, -20_000]) {
    it(`lets nothing in again that was heard before, the sender's clock ${skewMs} ms off`, () => {
      const stage = makeStage();
      const first = run(stage, [], WALL_MS - 60_000);
      const packets = Array.from({ length: 50 }, (_, i) => {
        return { at: WALL_MS + i * 10, bytes: said(stage, WALL_MS + i * 10 + skewMs, i + 1) };
      });
      for (const { at, bytes } of packets) equal(first.hear(bytes, at), 'ok');
      // As it was on disk when the sender was new; the node was killed later, without a word.
      const left = [{ kid: stage.sender.kid, offsetMs: skewMs, newestTs: WALL_MS + skewMs }];
      const startedAt = WALL_MS + 1000;
      const second = run(stage, left, startedAt);
      for (const { bytes } of packets) equal(second.hear(bytes, startedAt + 5), 'replay');
      equal(second.hear(said(stage, startedAt + 6 + skewMs, 51), startedAt + 6), 'ok');
    });
  }

  it('is told apart by what was heard last, also where our clock was set back meanwhile', () => {
    const stage = makeStage();
    const first = run(stage, [], WALL_MS - 60_000);
    const bytes = said(stage, WALL_MS);
    equal(first.hear(bytes, WALL_MS), 'ok');
    const second = run(stage, first.clocks.snapshot(), WALL_MS - 30_000);
    equal(second.hear(bytes, WALL_MS - 29_000), 'replay');
    equal(second.hear(said(stage, WALL_MS + 1, 2), WALL_MS - 29_000), 'ok');
  });

  it('and another one right after it: the silent are not forgotten', () => {
    const stage = makeStage();
    const first = run(stage, [], WALL_MS - 60_000);
    const bytes = said(stage, WALL_MS);
    first.hear(bytes, WALL_MS);
    const second = run(stage, first.clocks.snapshot(), WALL_MS + 1000);
    const third = run(stage, second.clocks.snapshot(), WALL_MS + 2000);
    equal(third.hear(bytes, WALL_MS + 2005), 'replay');
  });

  it('is no reason to refuse a sender that was never heard', () => {
    const stage = makeStage();
    const { hear } = run(stage, [], WALL_MS);
    equal(hear(said(stage, WALL_MS - 500), WALL_MS + 10), 'ok');
  });

  it('the sender that restarts as well is heard at once', () => {
    const stage = makeStage();
    const first = run(stage, [], WALL_MS - 60_000);
    first.hear(said(stage, WALL_MS, 900), WALL_MS);
    const second = run(stage, first.clocks.snapshot(), WALL_MS + 1000);
    equal(
      second.hear(said(stage, WALL_MS + 1010, 1, 'CCCCCCCCCCCCCCCCCCCCCA'), WALL_MS + 1010),
      'ok',
    );
  });

  it('what stands in the file is bounded and may be old', () => {
    const clocks = new SenderClocks();
    const old = { kid: 'a', offsetMs: 0, newestTs: WALL_MS - 86_400_000 };
    clocks.restore(
      [old, ...Array.from({ length: 5000 }, (_, i) => ({ ...old, kid: `${i}` }))],
      WALL_MS,
    );
    equal(clocks.isFromBefore('a', WALL_MS - 1), false);
    deepEqual(clocks.snapshot(), []);
  });
});

describe('a clock that is wrong', () => {
  const others = (clocks: SenderClocks, offsets: readonly number[], accepted = true) => {
    offsets.forEach((offsetMs, i) => {
      if (accepted) clocks.heard(`kid-${i}`, WALL_MS + offsetMs, WALL_MS);
      else clocks.refused(`kid-${i}`, WALL_MS + offsetMs, WALL_MS);
    });
  };

  it('is ours if the median of the others says so', () => {
    const clocks = new SenderClocks();
    deepEqual(clocks.skew(WALL_MS), { senders: 0, offsetMs: 0, alarm: false });
    others(clocks, [40_000, 45_000, -2]);
    deepEqual(clocks.skew(WALL_MS), { senders: 3, offsetMs: 40_000, alarm: true });
  });

  it('is not ours if one of many is off', () => {
    const clocks = new SenderClocks();
    others(clocks, [3, -55_000, 12, 1, 40_000]);
    deepEqual(clocks.skew(WALL_MS), { senders: 5, offsetMs: 3, alarm: false });
  });

  it('is seen also where packets are refused for it; what is old of a timely sender is not', () => {
    const clocks = new SenderClocks();
    others(clocks, [600_000, 610_000, 620_000], false);
    deepEqual(clocks.skew(WALL_MS), { senders: 3, offsetMs: 610_000, alarm: true });
    const timely = new SenderClocks();
    others(timely, [1, 2, 3]);
    others(timely, [-600_000, -610_000, -620_000], false);
    equal(timely.skew(WALL_MS).alarm, false);
  });

  it('is forgotten when it was not seen for long', () => {
    const clocks = new SenderClocks();
    others(clocks, [40_000, 45_000, 50_000]);
    equal(clocks.skew(WALL_MS + 5 * 60_000).senders, 0);
  });

  it('is learnt at the door: verified, refused, and looked at once a second at most', () => {
    const stage = makeStage();
    const opener = new Opener({ group: GROUP, ownKid: stage.receiver.kid, keyring: stage.keyring });
    const late = WALL_MS + 3_600_000;
    const forged = signed(stage.receiver.key, byeAttributes(stage.sender));
    equal(outcome(opener.open(forged, ON_LINK, 0, late)), 'time');
    equal(opener.clocks.skew(late).senders, 0);
    equal(outcome(opener.open(said(stage, WALL_MS), ON_LINK, 0, late)), 'time');
    deepEqual(opener.clocks.skew(late), { senders: 1, offsetMs: -3_600_000, alarm: true });
    for (let i = 0; i < 20; i += 1) {
      const other = issueIdentity(stage.authority, `n${i}`, 30, WALL_MS);
      const cert = certificateText(other);
      opener.open(signed(other.key, byeAttributes(other, { cert })), ON_LINK, 0, late);
    }
    ok(opener.clocks.skew(late).senders <= 3);
  });
});
