/** Messages to bytes and back (§2.2): what was said is what is heard, for every type. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { SeededRandom } from '@peerage/core/base/random.js';
import { ID_MAX } from '@peerage/core/protocol/limits.js';
import type { Copy, Message } from '@peerage/core/protocol/message.js';
import { decodeMessage, encodeMessage, wireType } from '@peerage/core/wire/codec.js';
import { MESSAGES, makeStage, NOBODY, ON_LINK, openerFor, sealed, WALL_MS } from './stage.js';

const { sender, receiver, keyring } = makeStage();

/** The attributes of a message as the gate reads them. */
function attributesOf(message: Message, changes: Readonly<Record<string, string>> = {}) {
  const to = 'to' in message && message.to !== undefined ? { to: message.to } : {};
  const own = Object.fromEntries(encodeMessage(message));
  return new Map(Object.entries({ type: wireType(message), ...own, ...to, ...changes }));
}

function sample(name: string): Message {
  const message = MESSAGES[name];
  ok(message !== undefined);
  return message;
}

describe('the codec', () => {
  for (const [name, message] of Object.entries(MESSAGES)) {
    it(`hears a ${name} as it was said`, () => {
      deepEqual(decodeMessage(attributesOf(message)), message);
      const bytes = sealed(sender, message);
      const opener = openerFor(receiver, keyring);
      const verdict = opener.open(bytes, ON_LINK, 0, WALL_MS);
      ok(verdict.ok);
      deepEqual(verdict.value.message, message);
    });
  }

  it('hears any values of an application as they were said', () => {
    const random = new SeededRandom(20);
    const alphabet = [...`aZ09 &<>"'=/\\;#.\u00a0é\u{1f600}\u200b`, '&amp;', '&#65;', ' sig="'];
    for (let round = 0; round < 300; round += 1) {
      const text = () =>
        Array.from({ length: random.uint32() % 12 }, () => {
          return alphabet[random.uint32() % alphabet.length];
        }).join('');
      const values = { a: text(), 'b-2': text(), toString: text() };
      const message: Message = { type: 'custom', service: 'p', name: 'n', values };
      const opener = openerFor(receiver, keyring);
      const verdict = opener.open(sealed(sender, message), ON_LINK, 0, WALL_MS);
      ok(verdict.ok, JSON.stringify(values));
      deepEqual(verdict.value.message, message);
    }
  });

  it('rounds a rate to whole bytes a second', () => {
    const message = { ...sample('lean progress'), bytesPerSecond: 12.6 } as Message;
    const decoded = decodeMessage(attributesOf(message));
    equal(decoded?.type === 'progress' && decoded.bytesPerSecond, 13);
  });

  it('a custom packet belongs to the service that it names', () => {
    const custom = sample('custom');
    equal(wireType(custom), 'x-firewall-rules-a-b');
    equal(decodeMessage(attributesOf(custom, { service: 'firewall' }))?.type, 'custom');
    for (const service of ['other', 'firewall-rules-a-b-c', '']) {
      equal(decodeMessage(attributesOf(custom, { service })), undefined, service);
    }
  });

  it('refuses what the schema cannot say: a message that contradicts itself', () => {
    const response = sample('response');
    const none = sample('response that has none');
    const table: Array<[why: string, message: Message, changes: Record<string, string>]> = [
      ['an ID above the largest', sample('lean end-request'), { ID: String(ID_MAX + 1) }],
      ['a response to nobody', none, { to: '' }],
      ['a response that is neither', none, { none: '0' }],
      ['a response that is both', response, { none: '1' }],
      ['a request by another method', sample('request'), { method: 'post' }],
      ['a request for another protocol', sample('request'), { acceptprotocol: 'ftp' }],
      ['an unknown distribution', sample('request'), { dist: 'normal' }],
      ['a type of no service', sample('bye'), { type: 'x-a-b' }],
    ];
    for (const [why, message, changes] of table) {
      equal(decodeMessage(attributesOf(message, changes)), undefined, why);
    }
  });

  it('refuses a copy that lacks any part', () => {
    const response = sample('response');
    const parts = ['alias', 'size', 'sha256', 'attestation', 'fetched-at', 'expires'];
    for (const part of parts) {
      const attributes = attributesOf(response);
      ok(attributes.delete(part));
      equal(decodeMessage(attributes), undefined, `without ${part}`);
    }
  });

  it('keeps the largest numbers exact', () => {
    const copy: Copy = {
      alias: `/o/${'0'.repeat(64)}`,
      sizeBytes: Number.MAX_SAFE_INTEGER,
      sha256: '0'.repeat(64),
      attestation: `/a/${'0'.repeat(64)}`,
      fetchedAt: 0,
      expiresAt: Number.MAX_SAFE_INTEGER,
    };
    const message: Message = {
      type: 'response',
      service: 's',
      id: ID_MAX,
      copy,
      waitedMs: 0,
      nonce: NOBODY,
      to: NOBODY,
    };
    deepEqual(decodeMessage(attributesOf(message)), message);
  });
});
