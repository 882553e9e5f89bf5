/** The one door in (§2.4): which packets pass, and the reason of every rejection. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { createAuthority, issueIdentity } from '@peerage/core/trust/authority.js';
import { MemberKeyring } from '@peerage/core/trust/keyring.js';
import { sealFrame } from '@peerage/core/wire/frame.js';
import type { Keyring, Opener, Origin } from '@peerage/core/wire/open.js';
import type { RejectionReason } from '@peerage/core/wire/rejection.js';
import {
  type Attributes,
  BOOT,
  byeAttributes,
  certificateText,
  GROUP,
  MESSAGES,
  makeStage,
  NOBODY,
  ON_LINK,
  openerFor,
  outcome,
  SENDER_ADDRESS,
  type Stage,
  sealed,
  sealerFor,
  signed,
  WALL_MS,
} from './stage.js';

const BYE = { type: 'bye' } as const;
const HELLO = MESSAGES['hello'] ?? BYE;

/** A keyring that counts how often it is asked: each time may cost a signature check. */
function counting(keyring: Keyring): Keyring & { asked: number } {
  return {
    asked: 0,
    find(kid) {
      this.asked += 1;
      return keyring.find(kid);
    },
    learn(kid, certificate) {
      this.asked += 1;
      return keyring.learn(kid, certificate);
    },
    isRevoked: (name) => keyring.isRevoked(name),
  };
}

const open = (opener: Opener, bytes: Buffer, origin: Origin = ON_LINK, wallMs = WALL_MS) =>
  outcome(opener.open(bytes, origin, 0, wallMs));

/** What an opener that knows the sender says to a properly signed packet of these attributes. */
function judge({ sender, receiver, keyring }: Stage, changes: Attributes): string {
  const bytes = signed(sender.key, byeAttributes(sender, changes));
  return open(openerFor(receiver, keyring), bytes);
}

describe('the door in: what passes', () => {
  it('a packet of a member it knows, with its verified sender', () => {
    const { sender, opener } = makeStage();
    const verdict = opener.open(sealed(sender, BYE), ON_LINK, 0, WALL_MS);
    ok(verdict.ok);
    deepEqual(verdict.value, {
      from: { kid: sender.kid, name: 'sender', boot: BOOT, address: SENDER_ADDRESS, port: 6515 },
      message: BYE,
    });
  });

  it('a hello of a member it does not know, and from then on packets without certificate', () => {
    const { sender, opener } = makeStage(false);
    const sealer = sealerFor(sender);
    const say = (introduce: boolean) =>
      sealer.seal(BYE, SENDER_ADDRESS, WALL_MS, introduce) ?? Buffer.alloc(0);
    equal(open(opener, say(false)), 'unknown-kid');
    equal(
      open(opener, sealer.seal(HELLO, SENDER_ADDRESS, WALL_MS, false) ?? Buffer.alloc(0)),
      'ok',
    );
    equal(open(opener, say(false)), 'ok');
  });

  it('any introduced packet of a member it does not know', () => {
    const { sender, opener } = makeStage(false);
    equal(open(opener, sealed(sender, BYE, true)), 'ok');
  });

  it('packets out of order, each once', () => {
    const { sender, opener } = makeStage();
    const sealer = sealerFor(sender);
    const packets = Array.from({ length: 5 }, () => {
      return sealer.seal(BYE, SENDER_ADDRESS, WALL_MS, false) ?? Buffer.alloc(0);
    });
    const order = [4, 0, 2, 1, 3].map((i) => packets[i] ?? Buffer.alloc(0));
    deepEqual(
      order.map((bytes) => open(opener, bytes)),
      new Array(5).fill('ok'),
    );
    deepEqual(
      order.map((bytes) => open(opener, bytes)),
      new Array(5).fill('replay'),
    );
  });

  it('a clock that is off by a minute, either way, and not a millisecond more', () => {
    const stage = makeStage();
    equal(judge(stage, { ts: String(WALL_MS - 60_000) }), 'ok');
    equal(judge(stage, { ts: String(WALL_MS + 60_000) }), 'ok');
    equal(judge(stage, { ts: String(WALL_MS - 60_001) }), 'time');
    equal(judge(stage, { ts: String(WALL_MS + 60_001) }), 'time');
    equal(judge(stage, { ts: '0' }), 'time');
  });

  it('a datagram of 1400 bytes, and not of one more', () => {
    const { sender, opener } = makeStage();
    const custom = (length: number) =>
      byeAttributes(sender, {
        type: 'x-p-n',
        service: 'p',
        a: 'x'.repeat(600),
        b: 'x'.repeat(length),
      });
    const lean = signed(sender.key, custom(0)).length;
    const largest = signed(sender.key, custom(1400 - lean));
    equal(largest.length, 1400);
    equal(open(opener, largest), 'ok');
    equal(open(opener, signed(sender.key, custom(1401 - lean))), 'length');
  });
});

describe('the door in: what does not', () => {
  /** Without `xml`, which only a disagreement of gate and parser gives, and what is of documents. */
  const REASONS: Record<Exclude<RejectionReason, 'xml' | 'contradiction'>, () => string> = {
    length: () => open(makeStage().opener, Buffer.from('<service />')),
    frame: () => open(makeStage().opener, Buffer.alloc(400, 'x')),
    encoding: () => {
      const { sender, opener } = makeStage();
      const bytes = signed(sender.key, byeAttributes(sender));
      bytes[bytes.indexOf('version') + 9] = 0xff;
      return open(opener, bytes);
    },
    attributes: () => judge(makeStage(), { 'a b': '1' }),
    version: () => judge(makeStage(), { version: '2.0' }),
    schema: () => judge(makeStage(), { type: 'unknown' }),
    own: () => {
      const { receiver, opener } = makeStage();
      return open(opener, sealed(receiver, BYE));
    },
    'unknown-kid': () => {
      const { sender, opener } = makeStage(false);
      return open(opener, sealed(sender, BYE));
    },
    certificate: () => {
      const { opener } = makeStage();
      const stranger = issueIdentity(createAuthority(GROUP, WALL_MS), 'sender', 30, WALL_MS);
      return open(opener, sealed(stranger, HELLO));
    },
    revoked: () => {
      const { sender, receiver, keyring } = makeStage();
      const revoking = { ...counting(keyring), isRevoked: (name: string) => name === 'sender' };
      return open(openerFor(receiver, revoking), sealed(sender, BYE));
    },
    address: () => judge(makeStage(), { addr: '192.0.2.11' }),
    time: () => judge(makeStage(), { ts: '1' }),
    replay: () => {
      const { sender, opener } = makeStage();
      const bytes = sealed(sender, BYE);
      open(opener, bytes);
      return open(opener, bytes);
    },
    budget: () => {
      const { sender, opener, receiver } = makeStage();
      const forged = signed(receiver.key, byeAttributes(sender));
      for (let i = 0; i < 40; i += 1) equal(open(opener, forged), 'signature');
      return open(opener, forged);
    },
    signature: () => {
      const { sender, opener, receiver } = makeStage();
      return open(opener, signed(receiver.key, byeAttributes(sender)));
    },
  };
  for (const [reason, give] of Object.entries(REASONS)) {
    it(`is refused for its ${reason}`, () => equal(give(), reason));
  }

  it('a packet of another group, even under the same CA', () => {
    const { sender, opener } = makeStage();
    const bytes = sealerFor(sender, 'other').seal(BYE, SENDER_ADDRESS, WALL_MS, false);
    equal(open(opener, bytes ?? Buffer.alloc(0)), 'schema');
  });

  it('a packet that was sent on from another address, or from beyond the link', () => {
    const { sender, opener } = makeStage();
    const bytes = sealed(sender, BYE);
    equal(open(opener, bytes, { address: '192.0.2.66', onLink: true }), 'address');
    equal(open(opener, bytes, { address: SENDER_ADDRESS, onLink: false }), 'address');
  });

  it('a hello with a certificate of somebody else', () => {
    const { sender, receiver, authority, keyring } = makeStage(false);
    const other = issueIdentity(authority, 'other', 30, WALL_MS);
    const cert = certificateText(other);
    const opener = openerFor(receiver, keyring);
    const mixed = signed(sender.key, byeAttributes(sender, { cert }));
    equal(open(opener, mixed), 'certificate');
    const stolen = signed(sender.key, byeAttributes(other, { cert }));
    equal(open(opener, stolen), 'signature');
  });

  it('a hello with an expired certificate, and one that expired since it was learnt', () => {
    const { sender, receiver, authority } = makeStage();
    let wallMs = WALL_MS;
    const keyring = new MemberKeyring({ anchors: [authority.certificate] }, () => wallMs);
    const opener = openerFor(receiver, keyring);
    equal(open(opener, sealed(sender, BYE, true)), 'ok');
    wallMs += 31 * 86_400_000;
    const late = (changes: Attributes) =>
      open(
        opener,
        signed(sender.key, byeAttributes(sender, { ts: `${wallMs}`, ...changes })),
        ON_LINK,
        wallMs,
      );
    equal(late({ seq: '2' }), 'unknown-kid');
    equal(late({ seq: '3', cert: certificateText(sender) }), 'certificate');
  });

  it('attributes of a packet that were signed as an attestation', () => {
    const { sender, opener } = makeStage();
    const pairs = Object.entries(byeAttributes(sender)) as Array<[string, string]>;
    equal(open(opener, sealFrame('peerage/attestation/v1', pairs, sender.key)), 'signature');
    equal(open(opener, sealFrame('peerage/packet/v1', pairs, sender.key)), 'ok');
  });

  it('the other valid signature of the same bytes: numbers count, not signatures', () => {
    const { sender, opener } = makeStage();
    const bytes = sealed(sender, BYE);
    const twin = Buffer.from(bytes);
    twin.write(
      otherSignature(bytes.toString('latin1', bytes.length - 89, bytes.length - 3)),
      bytes.length - 89,
    );
    ok(!twin.equals(bytes));
    equal(open(opener, bytes), 'ok');
    equal(open(opener, twin), 'replay');
  });
});

/** (r, n − s) for (r, s): holds as well, for any ECDSA signature. */
function otherSignature(text: string): string {
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const signature = Buffer.from(text, 'base64url');
  const s = BigInt(`0x${signature.toString('hex', 32)}`);
  const half = (order - s).toString(16).padStart(64, '0');
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(half, 'hex')]).toString('base64url');
}

describe('the door in: what a stranger can cause', () => {
  it('own packets and all that fail a cheaper check never reach the keyring', () => {
    const { sender, receiver, keyring } = makeStage();
    const counted = counting(keyring);
    const opener = openerFor(receiver, counted);
    const cheap: Attributes[] = [
      { kid: receiver.kid },
      { group: 'other' },
      { addr: '192.0.2.11' },
      { ts: '1' },
      { type: 'unknown' },
    ];
    for (const changes of cheap) open(opener, signed(sender.key, byeAttributes(sender, changes)));
    equal(counted.asked, 0);
    const bytes = sealed(sender, BYE);
    equal(open(opener, bytes), 'ok');
    equal(open(opener, bytes), 'replay');
    equal(counted.asked, 1);
  });

  it('a forged packet uses up no sequence number of the one it names', () => {
    const { sender, receiver, opener } = makeStage();
    equal(open(opener, signed(receiver.key, byeAttributes(sender, { seq: '1' }))), 'signature');
    equal(open(opener, signed(receiver.key, byeAttributes(sender, { seq: '9999' }))), 'signature');
    equal(open(opener, signed(sender.key, byeAttributes(sender, { seq: '1' }))), 'ok');
  });

  it('only a packet that fails for nothing but an unknown kid reports it, with its source', () => {
    const { sender, receiver, keyring } = makeStage(false);
    const opener = openerFor(receiver, keyring);
    const reports: unknown[] = [];
    opener.onUnknown = (...report) => reports.push(report);
    const say = (changes: Attributes) =>
      open(opener, signed(sender.key, byeAttributes(sender, changes)));
    say({ addr: '192.0.2.11' });
    say({ ts: '1' });
    say({ group: 'other' });
    say({ port: '0' });
    say({ cert: certificateText(receiver) });
    deepEqual(reports, []);
    equal(say({ port: '6515' }), 'unknown-kid');
    deepEqual(reports, [[sender.kid, SENDER_ADDRESS, 6515]]);
  });

  it('a flood of forgeries is bounded and does not silence other sources', () => {
    const { sender, receiver, keyring } = makeStage();
    const counted = counting(keyring);
    const opener = openerFor(receiver, counted);
    const address = '192.0.2.66';
    const forged = signed(receiver.key, byeAttributes(sender, { addr: address }));
    for (let i = 0; i < 10_000; i += 1) {
      opener.open(forged, { address, onLink: true }, i / 10, WALL_MS);
    }
    ok(counted.asked <= 60, `${counted.asked}`);
    equal(outcome(opener.open(sealed(sender, BYE), ON_LINK, 1000, WALL_MS)), 'ok');
  });

  it('unknown kids are as bounded as forged signatures', () => {
    const { sender, receiver, keyring } = makeStage(false);
    const counted = counting(keyring);
    const opener = openerFor(receiver, counted);
    const bytes = signed(sender.key, byeAttributes(sender, { kid: NOBODY }));
    for (let i = 0; i < 1000; i += 1) open(opener, bytes);
    equal(counted.asked, 40);
  });
});
