/** The one door out (§2.1-§2.3): what leaves fits a datagram, has its own number and reads back. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Message } from '@peerage/core/protocol/message.js';
import { parseElement } from '@peerage/core/wire/xml.js';
import {
  certificateText,
  MESSAGES,
  makeStage,
  ON_LINK,
  openerFor,
  outcome,
  SENDER_ADDRESS,
  sealed,
  sealerFor,
  WALL_MS,
} from './stage.js';

const stage = makeStage();
const makeOpener = () => openerFor(stage.receiver, stage.keyring);

function requestOf(urlLength: number): Message {
  const request = MESSAGES['lean request'];
  ok(request?.type === 'request');
  return { ...request, href: `http://o/${'a'.repeat(urlLength - 9)}` };
}

const attributesOf = (bytes: Buffer) => parseElement(bytes.toString()) ?? new Map<string, string>();

describe('the door out', () => {
  it('packets are near the size that the protocol promises', () => {
    const sizes = Object.entries(MESSAGES).map(([name, message]) => {
      return [name, sealed(stage.sender, message).length] as const;
    });
    for (const [name, size] of sizes) ok(size >= 200 && size <= 1400, `${name}: ${size}`);
    ok(sealed(stage.sender, { type: 'bye' }).length < 300);
    ok(sealed(stage.sender, requestOf(60)).length < 600);
  });

  it('every packet has a number of its own, whatever became of the one before', () => {
    const sealer = sealerFor(stage.sender);
    const numbers = [requestOf(20), requestOf(3000), requestOf(20)].map((message) => {
      const bytes = sealer.seal(message, SENDER_ADDRESS, WALL_MS, true);
      return bytes === undefined ? undefined : attributesOf(bytes).get('seq');
    });
    deepEqual(numbers, ['1', undefined, '3']);
  });

  it('a hello carries the certificate, others only when they are to introduce', () => {
    const certificate = certificateText(stage.sender);
    const carried = (message: Message, introduce: boolean) =>
      attributesOf(sealed(stage.sender, message, introduce)).get('cert');
    equal(carried(MESSAGES['hello'] ?? { type: 'bye' }, false), certificate);
    equal(carried(requestOf(20), false), undefined);
    equal(carried(requestOf(20), true), certificate);
  });

  it('the certificate is left out where it does not fit', () => {
    const bytes = sealed(stage.sender, requestOf(700), true);
    equal(attributesOf(bytes).has('cert'), false);
    equal(outcome(makeOpener().open(bytes, ON_LINK, 0, WALL_MS)), 'ok');
  });

  it('what does not fit a datagram is not sent at all', () => {
    const sealer = sealerFor(stage.sender);
    let last = 0;
    for (let length = 500; length < 1100; length += 1) {
      const bytes = sealer.seal(requestOf(length), SENDER_ADDRESS, WALL_MS, false);
      if (bytes === undefined) break;
      last = bytes.length;
    }
    equal(last, 1400);
    equal(sealer.seal(requestOf(1200), SENDER_ADDRESS, WALL_MS, false), undefined);
  });

  it('a URL of any characters that fits is heard as it was said', () => {
    const opener = makeOpener();
    const sealer = sealerFor(stage.sender);
    for (const path of [`?a|b^c\`{d}'&e=%20`, '?é=\u{1f600}', '/[x]~!$()*+,;:@']) {
      const { href } = new URL(`http://o.example/${path}`);
      const bytes = sealer.seal(
        { ...requestOf(20), href } as Message,
        SENDER_ADDRESS,
        WALL_MS,
        false,
      );
      const verdict = opener.open(bytes ?? Buffer.alloc(0), ON_LINK, 0, WALL_MS);
      ok(verdict.ok && verdict.value.message.type === 'request', href);
      equal(verdict.value.message.href, href);
    }
  });
});
