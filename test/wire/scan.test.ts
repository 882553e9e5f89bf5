/** The strict gate (§2.4): the table of what must never reach the XML parser, and why. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { PACKET_LIMITS, scanAttributes } from '@peerage/core/wire/scan.js';
import { parseElement } from '@peerage/core/wire/xml.js';
import { outcome } from './stage.js';

const scan = (text: string | Buffer) => scanAttributes(Buffer.from(text), PACKET_LIMITS);

const HOSTILE: Array<[why: string, text: string, reason: 'attributes' | 'encoding']> = [
  ['nothing at all', '', 'attributes'],
  ['one space', ' ', 'attributes'],
  ['a name without a value', 'a', 'attributes'],
  ['a name with an equals sign only', 'a=', 'attributes'],
  ['an open value', 'a="1', 'attributes'],
  ['no name', '="1"', 'attributes'],
  ['single quotes: the parser takes them too', "a='1'", 'attributes'],
  ['no quotes', 'a=1', 'attributes'],
  ['a space before the first', ' a="1"', 'attributes'],
  ['a space after the last', 'a="1" ', 'attributes'],
  ['two spaces between', 'a="1"  b="2"', 'attributes'],
  ['no space between', 'a="1"b="2"', 'attributes'],
  ['spaces around the equals sign', 'a = "1"', 'attributes'],
  ['a duplicate: parsers take the last one', 'a="1" b="2" a="3"', 'attributes'],
  ['a second signature: it would not be the signed one', 'a="1" sig="x"', 'attributes'],
  ['a name that begins with a digit', '1a="1"', 'attributes'],
  ['a name with an underscore, so __proto__ too', '__proto__="1"', 'attributes'],
  ['a name with a colon: namespaces', 'xml:lang="de"', 'attributes'],
  ['a name with a dot', 'a.b="1"', 'attributes'],
  ['a name with a letter beyond ASCII', 'ä="1"', 'attributes'],
  ['a name of 33 characters', `${'a'.repeat(33)}="1"`, 'attributes'],
  ['an end of the element', 'a="1"/', 'attributes'],
  ['an end of the element and another one', 'a="1"/><service b="2"', 'encoding'],
  ['an open bracket in a value', 'a="<"', 'encoding'],
  ['a close bracket in a value: some parsers end there', 'a=">"', 'encoding'],
  ['a DOCTYPE with an entity', 'a="<!DOCTYPE x [<!ENTITY y \'z\'>]>"', 'encoding'],
  ['a processing instruction', 'a="<?php ?>"', 'encoding'],
  ['a comment', 'a="1" <!-- --> b="2"', 'encoding'],
  ['a CDATA section', 'a="<![CDATA[x]]>"', 'encoding'],
  ['an entity of one’s own', 'a="&x;"', 'attributes'],
  ['an entity of HTML', 'a="&nbsp;"', 'attributes'],
  ['a decimal character reference', 'a="&#65;"', 'attributes'],
  ['a hexadecimal character reference', 'a="&#x41;"', 'attributes'],
  ['an entity in capitals', 'a="&AMP;"', 'attributes'],
  ['an entity without its end', 'a="&amp"', 'attributes'],
  ['a bare ampersand', 'a="b & c"', 'attributes'],
  ['a bare ampersand at the end', 'a="b&"', 'attributes'],
  ['an entity cut by another', 'a="&am&amp;"', 'attributes'],
  ['an entity that is an own property of objects', 'a="&constructor;"', 'attributes'],
  ['a NUL: ends the text for C parsers', 'a="\0"', 'encoding'],
  ['a tab: parsers make it a space', 'a="1\t2"', 'encoding'],
  ['a line break: parsers make it a space', 'a="1\n2"', 'encoding'],
  ['a carriage return: parsers make it a line feed', 'a="1\r2"', 'encoding'],
  ['a tab between attributes', 'a="1"\tb="2"', 'encoding'],
  ['a line break between attributes', 'a="1"\nb="2"', 'encoding'],
  ['a delete character', 'a="\u007f"', 'encoding'],
  ['a C1 control: next line', 'a="\u0085"', 'encoding'],
  ['a line separator', 'a="\u2028"', 'encoding'],
  ['a paragraph separator', 'a="\u2029"', 'encoding'],
  ['the non-character FFFE: a turned byte order mark', 'a="\ufffe"', 'encoding'],
  ['the non-character FFFF', 'a="\uffff"', 'encoding'],
  ['a value of 1201 characters', `a="${'x'.repeat(1201)}"`, 'attributes'],
  ['33 attributes', Array.from({ length: 33 }, (_, i) => `a${i}="1"`).join(' '), 'attributes'],
];

const BAD_UTF8: Array<[why: string, bytes: number[]]> = [
  ['a lone continuation byte', [0x80]],
  ['a cut sequence', [0xc3]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['an overlong NUL', [0xc0, 0x80]],
  ['an overlong quote', [0xe0, 0x80, 0xa2]],
  ['a surrogate half', [0xed, 0xa0, 0x80]],
  ['a code point beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
  ['a byte that never occurs', [0xff]],
  ['UTF-16', [0x61, 0x00, 0xfe]],
];

describe('the gate', () => {
  for (const [why, text, reason] of HOSTILE) {
    it(`refuses ${why}`, () => equal(outcome(scan(text)), reason));
  }

  for (const [why, bytes] of BAD_UTF8) {
    it(`refuses bytes that are no UTF-8: ${why}`, () => {
      const text = Buffer.concat([Buffer.from('a="'), Buffer.from(bytes), Buffer.from('"')]);
      equal(outcome(scan(text)), 'encoding');
    });
  }

  it('reads what is plain, in order, with the five entities resolved', () => {
    const verdict = scan(`B="" a="&amp;&lt;&gt;&quot;&apos;" c-1="it's = é \u{1f600}"`);
    ok(verdict.ok);
    deepEqual(
      [...verdict.value],
      [
        ['B', ''],
        ['a', `&<>"'`],
        ['c-1', "it's = é \u{1f600}"],
      ],
    );
  });

  it('resolves entities once only', () => {
    const verdict = scan('a="&amp;lt;" b="&amp;amp;amp;" c="&amp;#65;"');
    ok(verdict.ok);
    deepEqual([...verdict.value.values()], ['&lt;', '&amp;amp;', '&#65;']);
  });

  it('takes exactly as much as the limits say, counting the resolved value', () => {
    const many = Array.from({ length: 32 }, (_, i) => `a${i}="1"`).join(' ');
    equal(outcome(scan(many)), 'ok');
    equal(outcome(scan(`a="${'&amp;'.repeat(1200)}"`)), 'ok');
    equal(outcome(scan(`${'a'.repeat(32)}="1"`)), 'ok');
  });

  it('a name that every object has is just a name', () => {
    const verdict = scan('constructor="1" toString="2" hasOwnProperty="3" valueOf="4"');
    ok(verdict.ok);
    equal(verdict.value.get('toString'), '2');
    const parsed = parseElement('<service constructor="1" toString="2" sig="x"/>');
    deepEqual(
      [...(parsed ?? [])],
      [
        ['constructor', '1'],
        ['toString', '2'],
        ['sig', 'x'],
      ],
    );
  });

  it('needs time in proportion to the length, whatever stands there', () => {
    const limits = { countMax: 24, valueLengthMax: 48 * 1024 };
    const length = 48 * 1024;
    for (const unit of ['&', '&amp', '&amp;', '=', '="', ' ', 'a=" ', '&a&a']) {
      const text = `a="${unit.repeat(length / unit.length)}"`;
      const began = process.cpuUsage();
      scanAttributes(Buffer.from(text), limits);
      const { user, system } = process.cpuUsage(began);
      ok(user + system < 250_000, `${unit}: ${user + system} µs`);
    }
  });
});

describe('the parser behind the gate', () => {
  it('is not an element: undefined', () => {
    const table = [
      '',
      'x',
      '<a/>',
      '<service>x</service>',
      '<service a="1"><b/></service>',
      '<service a="1"/><service b="1"/>',
      '<service a="1"/><other/>',
      '<service/>',
      '<service a/>',
      '</service>',
      '<service a="1">',
    ];
    const taken = table.filter((text) => (parseElement(text)?.size ?? 0) > 0);
    // What the gate makes impossible: an element that is not closed.
    deepEqual(taken, ['<service a="1">']);
  });

  it('is not worn out by what it read before', () => {
    for (let i = 0; i < 20_000; i += 1) {
      if (parseElement('<service a="&amp;&lt;" sig="x"/>')?.get('a') === '&<') continue;
      throw new Error(`at document ${i}`);
    }
  });
});
