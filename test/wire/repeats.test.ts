/** A hello that says what its sender said last (§2.4): checked like any other, read once. */
import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import type { Hello } from '@peerage/core/protocol/message.js';
import { issueIdentity } from '@peerage/core/trust/authority.js';
import type { Opener } from '@peerage/core/wire/open.js';
import {
  certificateText,
  makeStage,
  ON_LINK,
  outcome,
  SENDER_ADDRESS,
  sealerFor,
  WALL_MS,
} from './stage.js';

const HELLO: Hello = {
  type: 'hello',
  client: true,
  server: true,
  internet: true,
  starting: false,
  peers: 3,
};

const open = (opener: Opener, bytes: Buffer | undefined, wallMs = WALL_MS) =>
  opener.open(bytes ?? Buffer.alloc(0), ON_LINK, 0, wallMs);

function heard(opener: Opener, bytes: Buffer | undefined, wallMs = WALL_MS) {
  const verdict = open(opener, bytes, wallMs);
  ok(verdict.ok);
  return verdict.value;
}

describe('a hello that repeats the last one of its sender', () => {
  it('means what that one meant, without being read again', () => {
    const { sender, opener } = makeStage();
    const sealer = sealerFor(sender);
    const say = (wallMs: number) => sealer.seal(HELLO, SENDER_ADDRESS, wallMs, false);
    const first = heard(opener, say(WALL_MS));
    const second = heard(opener, say(WALL_MS + 10_000), WALL_MS + 10_000);
    deepEqual(second, first);
    equal(second, first, 'the same reading');
  });

  it('is read again as soon as anything in it is different', () => {
    const { sender, opener } = makeStage();
    const sealer = sealerFor(sender);
    const first = heard(opener, sealer.seal(HELLO, SENDER_ADDRESS, WALL_MS, false));
    const changes: Hello[] = [
      { ...HELLO, peers: 4 },
      { ...HELLO, internet: false },
      { ...HELLO, policy: 7 },
      { ...HELLO, to: sender.kid },
      { ...HELLO, starting: true },
    ];
    for (const hello of changes) {
      const { message } = heard(opener, sealer.seal(hello, SENDER_ADDRESS, WALL_MS, false));
      deepEqual(message, hello);
    }
    const again = heard(opener, sealer.seal(HELLO, SENDER_ADDRESS, WALL_MS, false));
    deepEqual(again, first);
    notEqual(again, first, 'only the last one is remembered');
  });

  it('is of another run when its sender was restarted', () => {
    const { sender, opener } = makeStage();
    heard(opener, sealerFor(sender).seal(HELLO, SENDER_ADDRESS, WALL_MS, false));
    const boot = 'CCCCCCCCCCCCCCCCCCCCCA';
    const later = sealerFor(sender, undefined, boot).seal(HELLO, SENDER_ADDRESS, WALL_MS, false);
    equal(heard(opener, later).from.boot, boot);
  });

  it('is refused like any other when it is a replay, forged or late', () => {
    const { sender, opener } = makeStage();
    const sealer = sealerFor(sender);
    const [first, second, third] = [0, 1, 2].map(() =>
      sealer.seal(HELLO, SENDER_ADDRESS, WALL_MS, false),
    );
    heard(opener, first);
    equal(outcome(open(opener, first)), 'replay');
    const forged = Buffer.from(second ?? '');
    const digit = forged.indexOf('ts="') + 4 + 12;
    forged[digit] = forged[digit] === 0x30 ? 0x31 : 0x30;
    equal(outcome(open(opener, forged)), 'signature');
    equal(outcome(open(opener, third, WALL_MS + 61_000)), 'time');
    equal(outcome(open(opener, second)), 'ok');
  });

  it('says nothing of another member that says the same', () => {
    const { authority, sender, keyring, opener } = makeStage();
    const other = issueIdentity(authority, 'other', 30, WALL_MS);
    keyring.learn(other.kid, certificateText(other));
    heard(opener, sealerFor(sender).seal(HELLO, SENDER_ADDRESS, WALL_MS, false));
    const { from } = heard(opener, sealerFor(other).seal(HELLO, SENDER_ADDRESS, WALL_MS, false));
    deepEqual([from.name, from.kid], ['other', other.kid]);
  });
});
