/** The table of packet types (§2.2): what each attribute may be, and that nothing else passes. */
import { equal, ok } from 'node:assert/strict';
import { splitFrame } from '@peerage/core/wire/frame.js';
import { PACKET_LIMITS, scanAttributes } from '@peerage/core/wire/scan.js';
import { CUSTOM_VALUES_MAX, fitsSchema, HEADER, isReserved } from '@peerage/core/wire/schema.js';
import { certificateText, MESSAGES, makeStage, NOBODY, sealed } from './stage.js';

const { sender } = makeStage();

function attributesOf(name: string): Map<string, string> {
  const message = MESSAGES[name];
  ok(message !== undefined);
  const split = splitFrame(sealed(sender, message));
  ok(split.ok);
  const scanned = scanAttributes(split.value.attributes, PACKET_LIMITS);
  ok(scanned.ok);
  return scanned.value;
}

/** Whether the sample `name` still fits with these attributes changed; `undefined` leaves one out. */
function fits(name: string, changes: Readonly<Record<string, string | undefined>> = {}): boolean {
  const attributes = attributesOf(name);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) attributes.delete(key);
    else attributes.set(key, value);
  }
  return fitsSchema(attributes);
}

const HASH = 'a'.repeat(64);

describe('the schema', () => {
  it('takes every message that the service sends', () => {
    for (const name of Object.keys(MESSAGES)) ok(fits(name), name);
  });

  it('demands every attribute of the header in every type', () => {
    for (const name of Object.keys(MESSAGES)) {
      for (const attribute of Object.keys(HEADER)) {
        equal(fits(name, { [attribute]: undefined }), false, `${name} without ${attribute}`);
      }
    }
  });

  it('demands what the lean form of each type has', () => {
    const lean = ['lean request', 'lean end-request', 'lean progress', 'hello', 'bye'];
    for (const name of lean) {
      for (const attribute of attributesOf(name).keys()) {
        if (attribute === 'cert' || attribute === 'to') continue;
        equal(fits(name, { [attribute]: undefined }), false, `${name} without ${attribute}`);
      }
    }
  });

  it('refuses an attribute that the type does not have, except in custom packets', () => {
    for (const name of Object.keys(MESSAGES)) {
      for (const foreign of ['x', 'sig', 'constructor', 'toString', 'Type', 'source2']) {
        equal(fits(name, { [foreign]: '1' }), name === 'custom', `${foreign} in ${name}`);
      }
    }
    equal(fits('bye', { service: 'url-cache' }), false);
    equal(fits('hello', { href: 'http://o/' }), false);
  });

  it('refuses an unknown type, also one that every object has a property of', () => {
    const types = ['', 'x', 'constructor', 'toString', '__proto__', 'Request', 'x-', 'x-A', 'x-1'];
    for (const type of types) equal(fits('bye', { type }), false, type);
  });

  it('an attribute is of its kind, wherever it stands', () => {
    const table: Array<[sample: string, attribute: string, good: string[], bad: string[]]> = [
      ['bye', 'kid', [NOBODY, `${'a'.repeat(20)}-g`], ['', 'A'.repeat(21), `${'A'.repeat(21)}B`]],
      ['bye', 'seq', ['0', '1', '999999999999999'], ['', '01', '-1', '1.0', '1e3', ' 1', '+1']],
      ['bye', 'addr', ['192.0.2.1', 'fe80::1'], ['', 'a', 'host.example', '1.2.3.4/8', 'FE80::1']],
      [
        'bye',
        'port',
        ['1', '80', '6515', '65535'],
        ['', '0', '65536', '99999', '080', '-1', '1e3'],
      ],
      ['bye', 'group', ['a', 'office.example-1'], ['', '.a', 'a b', 'a'.repeat(65), 'ä']],
      [
        'bye',
        'cert',
        ['A'.repeat(300)],
        ['', 'A'.repeat(299), 'A'.repeat(901), `${'A'.repeat(299)}=`],
      ],
      ['hello', 'client', ['0', '1'], ['', '2', 'true', '01', '1 ']],
      [
        'request',
        'T',
        ['0', '12.625', '999999999'],
        ['', '-1', '1.2345', '.5', '1e3', 'NaN', '1.'],
      ],
      ['request', 'variant', ['*', 'a1'], ['', '**', '/']],
      ['response', 'sha256', [HASH], ['', 'A'.repeat(64), 'a'.repeat(63), 'a'.repeat(65)]],
      ['response', 'alias', [`/o/${HASH}`], [`/../${HASH}`, `o/${HASH}`, `/o/${HASH}/`, '/o/..']],
      ['response', 'to', [NOBODY], ['', 'x']],
    ];
    for (const [sample, attribute, good, bad] of table) {
      for (const value of good) ok(fits(sample, { [attribute]: value }), `${attribute}=${value}`);
      for (const value of [...bad, `${good[0]}\n`]) {
        equal(fits(sample, { [attribute]: value }), false, `${attribute}=${value}`);
      }
    }
  });

  it('every number that it takes is exact', () => {
    const attributes = attributesOf('progress');
    for (const name of ['seq', 'ts', 'received', 'rate', 'total']) {
      for (const value of ['9007199254740993', '9999999999999999', '10000000000000000']) {
        equal(fitsSchema(new Map(attributes).set(name, value)), false, `${name}=${value}`);
      }
    }
  });

  it('takes every URL as the URL standard writes it', () => {
    const characters = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
    for (const character of [...characters, 'é', '\u{1f600}', ' ']) {
      for (const raw of [`http://o.example/a${character}b`, `https://o.example/?a${character}b`]) {
        const { href } = new URL(raw);
        ok(fits('request', { href }), href);
      }
    }
    ok(fits('request', { href: 'http://[2001:db8::1]:8080/' }));
    ok(fits('request', { href: `http://o/${'a'.repeat(990)}` }));
  });

  it('refuses what is no URL or cannot stand in one', () => {
    const wrong = ['', 'http', '//o/', ':x', 'HTTP://o/', '1x:y', 'http://o/ b', 'http://o/"'];
    for (const href of [...wrong, `http://o/${'a'.repeat(1000)}`, 'http://o/\u00a0']) {
      equal(fits('request', { href }), false, href);
    }
  });

  it('takes as many values of an application as it says, each short enough', () => {
    const attributes = attributesOf('custom');
    for (const own of ['rule', 'constructor', 'empty']) attributes.delete(own);
    for (let i = 1; i <= CUSTOM_VALUES_MAX; i += 1) {
      attributes.set(`own-${i}`, 'x'.repeat(600));
      ok(fitsSchema(attributes), `${i}`);
    }
    equal(fitsSchema(new Map(attributes).set('own-1', 'x'.repeat(601))), false);
    equal(fitsSchema(new Map(attributes).set('own-13', '')), false);
  });

  it('takes a type of the longest service with a name after it, as long as a token may be', () => {
    const service = 'a'.repeat(41);
    const type = (length: number) => `x-${service}-${'n'.repeat(length)}`;
    ok(fits('custom', { service, type: type(20) }));
    equal(fits('custom', { service, type: type(21) }), false);
  });

  it('reserves for the service what the service writes', () => {
    const own = ['service', 'sig', 'to', 'cert', ...Object.keys(HEADER)];
    for (const name of own) ok(isReserved(name), name);
    for (const name of ['rule', 'constructor', 'To']) equal(isReserved(name), false, name);
  });

  it('takes a certificate as long as ours can get', () => {
    ok(certificateText(sender).length < 900 - 100);
  });
});
