/** The frame (§2.1, §2.3): where the signature is cut off, and what has only one spelling. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { type Frame, sealFrame, splitFrame, verifyFrame } from '@peerage/core/wire/frame.js';
import { outcome } from './stage.js';

const PACKET = 'peerage/packet/v1';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const good = sealFrame(
  PACKET,
  [
    ['a', '1'],
    ['b', `&<>"'`],
  ],
  privateKey,
);

function split(bytes: Buffer): Frame {
  const verdict = splitFrame(bytes);
  ok(verdict.ok);
  return verdict.value;
}

const edit = (change: (text: string) => string) => Buffer.from(change(good.toString()));

describe('the frame', () => {
  it('is one element whose last attribute signs every byte before it', () => {
    ok(/^<service a="1" b="&amp;&lt;&gt;&quot;&apos;" sig="[\w-]{86}"\/>$/.test(good.toString()));
    const frame = split(good);
    equal(`${frame.signed}`, '<service a="1" b="&amp;&lt;&gt;&quot;&apos;"');
    equal(`${frame.attributes}`, 'a="1" b="&amp;&lt;&gt;&quot;&apos;"');
    equal(frame.signature.length, 64);
    ok(verifyFrame(PACKET, frame, publicKey));
  });

  it('refuses whatever is not exactly that form', () => {
    const table: Array<[why: string, change: (text: string) => string]> = [
      ['a space before it', (text) => ` ${text}`],
      ['a line break after it', (text) => `${text}\n`],
      ['another element name', (text) => text.replace('<service', '<Service')],
      ['two spaces in the opening', (text) => text.replace('<service a', '<service\ta')],
      ['a byte order mark', (text) => `\ufeff${text}`],
      ['an XML declaration', (text) => `<?xml version="1.0"?>${text}`],
      ['a closing tag', (text) => text.replace('/>', '></service>')],
      ['a space before the end', (text) => text.replace('/>', ' />')],
      ['single quotes around the signature', (text) => text.replace(/sig="(.*)"/, "sig='$1'")],
      ['another name for the signature', (text) => text.replace(' sig=', ' Sig=')],
      ['an attribute after the signature', (text) => text.replace('/>', ' c="1"/>')],
      ['a signature one character shorter', (text) => text.replace(/."\/>$/, '"/>')],
      ['a signature one character longer', (text) => text.replace(/"\/>$/, 'A"/>')],
      ['padding', (text) => text.replace(/.."\/>$/, '=="/>')],
      ['the other base64 alphabet', (text) => text.replace(/sig=".../, 'sig="+/A')],
    ];
    for (const [why, change] of table) equal(outcome(splitFrame(edit(change))), 'frame', why);
  });

  it('refuses what is too short to be a frame, down to nothing', () => {
    for (let length = 0; length <= 104; length += 1) {
      equal(outcome(splitFrame(good.subarray(good.length - length))), 'length', `${length}`);
    }
    equal(outcome(splitFrame(Buffer.from(`<service ${good.toString().slice(-95)}`))), 'length');
  });

  it('takes only the one canonical spelling of a signature', () => {
    const spellings = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'];
    const taken = spellings.filter((last) => {
      const verdict = splitFrame(edit((text) => text.replace(/.(?="\/>$)/, last)));
      return verdict.ok;
    });
    deepEqual(taken, ['A', 'Q', 'g', 'w']);
    const verified = taken.filter((last) =>
      verifyFrame(PACKET, split(edit((text) => text.replace(/.(?="\/>$)/, last))), publicKey),
    );
    equal(verified.length, 1);
  });

  it('does not hold for another key, another context or no context', () => {
    const frame = split(good);
    const stranger = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey;
    equal(verifyFrame(PACKET, frame, stranger), false);
    equal(verifyFrame('peerage/attestation/v1', frame, publicKey), false);
    const options = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
    const bare = { ...frame, signature: sign('sha256', frame.signed, options) };
    equal(verifyFrame(PACKET, bare, publicKey), false);
  });

  it('does not hold for a signature of zeros, or one as long as the order', () => {
    const frame = split(good);
    const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
    for (const half of ['00'.repeat(32), 'ff'.repeat(32), order]) {
      const signature = Buffer.from(half.repeat(2), 'hex');
      equal(verifyFrame(PACKET, { ...frame, signature }, publicKey), false);
    }
  });

  it('escapes every value so that it reads back, and cannot break out of its quotes', () => {
    const hostile = `x" sig="${'A'.repeat(86)}"/><service a="`;
    const bytes = sealFrame(PACKET, [['a', hostile]], privateKey);
    const frame = split(bytes);
    equal(`${frame.attributes}`.match(/"/g)?.length, 2);
    ok(verifyFrame(PACKET, frame, publicKey));
  });
});
