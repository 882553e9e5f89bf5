/**
 * Seeded mutators: from a valid text to one that is nearly valid. The same seed gives the same
 * mutants of the same corpus.
 */
import type { SeededRandom } from '@peerage/core/base/random.js';

/** What parsers stumble over: markup, entities, quotes, controls, names that objects have. */
const DICTIONARY: readonly string[] = [
  '"',
  "'",
  ' ',
  '  ',
  '=',
  '="',
  '" ',
  '&',
  ';',
  '&amp;',
  '&lt;',
  '&gt;',
  '&quot;',
  '&apos;',
  '&amp;amp;',
  '&amp;lt;',
  '&#65;',
  '&#x41;',
  '&nbsp;',
  '&x;',
  '<',
  '>',
  '/',
  '/>',
  '<!DOCTYPE a [<!ENTITY x "y">]>',
  '<![CDATA[',
  ']]>',
  '<!--',
  '-->',
  '<?xml version="1.0"?>',
  '</service>',
  '<service ',
  ' sig="',
  'sig="x" ',
  ' a="1"',
  '\0',
  '\t',
  '\n',
  '\r',
  '\u00a0',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\ufffe',
  '\u{1f600}',
  '__proto__',
  'constructor',
  'toString',
  'xmlns',
  'xml:space',
  '0',
  '-1',
  '1e9',
  '9007199254740993',
  '99999999999999999999',
];
const WORDS = DICTIONARY.map((word) => Buffer.from(word));
const MUTATIONS_MAX = 4;

type Mutator = (bytes: Buffer, random: SeededRandom, corpus: readonly Buffer[]) => Buffer;

export function pick<T>(list: readonly T[], random: SeededRandom): T {
  const item = list[random.uint32() % list.length];
  if (item === undefined) throw new Error('an empty list has nothing to pick');
  return item;
}

const below = (limit: number, random: SeededRandom) => random.uint32() % Math.max(1, limit);

/** A short range of the bytes. */
function range(bytes: Buffer, random: SeededRandom): readonly [from: number, to: number] {
  const from = below(bytes.length, random);
  return [from, Math.min(bytes.length, from + 1 + below(12, random))];
}

function spliced(bytes: Buffer, from: number, to: number, between: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, from), between, bytes.subarray(to)]);
}

/** The places between attributes: after each quote that a space follows. */
function attributesOf(bytes: Buffer): string[] {
  return bytes.toString('latin1').match(/[A-Za-z0-9-]+="[^"]*"/g) ?? [];
}

const MUTATORS: readonly Mutator[] = [
  function flipBit(bytes, random) {
    const copy = Buffer.from(bytes);
    const at = below(bytes.length, random);
    copy[at] = (copy[at] ?? 0) ^ (1 << below(8, random));
    return copy;
  },
  function setByte(bytes, random) {
    const copy = Buffer.from(bytes);
    copy[below(bytes.length, random)] = below(256, random);
    return copy;
  },
  function takeOut(bytes, random) {
    return spliced(bytes, ...range(bytes, random), Buffer.alloc(0));
  },
  function repeat(bytes, random) {
    const [from, to] = range(bytes, random);
    return spliced(bytes, to, to, bytes.subarray(from, to));
  },
  function move(bytes, random) {
    const [from, to] = range(bytes, random);
    const at = below(bytes.length, random);
    return spliced(bytes, at, at, bytes.subarray(from, to));
  },
  function putWord(bytes, random) {
    const at = below(bytes.length + 1, random);
    return spliced(bytes, at, at, pick(WORDS, random));
  },
  function replaceByWord(bytes, random) {
    return spliced(bytes, ...range(bytes, random), pick(WORDS, random));
  },
  function cut(bytes, random) {
    return bytes.subarray(0, below(bytes.length, random));
  },
  function joinAnother(bytes, random, corpus) {
    const other = pick(corpus, random);
    const head = bytes.subarray(0, below(bytes.length, random));
    return Buffer.concat([head, other.subarray(below(other.length, random))]);
  },
  function exchangeAttribute(bytes, random, corpus) {
    const own = attributesOf(bytes);
    const foreign = attributesOf(pick(corpus, random));
    if (own.length === 0 || foreign.length === 0) return bytes;
    const text = bytes.toString('latin1').replace(pick(own, random), () => pick(foreign, random));
    return Buffer.from(text, 'latin1');
  },
];

/** A mutant of one of the corpus: one to four changes. */
export function mutate(corpus: readonly Buffer[], random: SeededRandom): Buffer {
  let bytes = pick(corpus, random);
  const count = 1 + below(MUTATIONS_MAX, random);
  for (let i = 0; i < count && bytes.length > 0; i += 1) {
    bytes = pick(MUTATORS, random)(bytes, random, corpus);
  }
  return bytes;
}

const ALPHABET = [...`abZ09 -_.:/;#=?!$\\'é\u00a0\u{1f600}\u200b`, ...DICTIONARY.slice(9, 17)];

/** Attributes that the gate mostly takes: proper form, values of whatever is hard to read. */
export function composeAttributes(random: SeededRandom): Buffer {
  const count = 1 + below(6, random);
  const attributes = Array.from({ length: count }, (_, i) => {
    const name = random.fraction() < 0.1 ? 'constructor' : `a${i}-${below(3, random)}`;
    const value = Array.from({ length: below(16, random) }, () => pick(ALPHABET, random)).join('');
    return `${name}="${value}"`;
  });
  return Buffer.from(attributes.join(' '));
}
