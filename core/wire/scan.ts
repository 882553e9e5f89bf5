/**
 * The strict gate before the XML parser: scans the attributes of a frame byte by byte and lets
 * only the plainest XML pass. fast-xml-parser alone is not strict (it takes duplicate attributes,
 * DOCTYPE entities, trailing text), so nothing reaches it that this gate did not read to the same
 * meaning; a differential fuzz holds the two against each other. PROTOCOL §2.4.
 *
 * Invariants: never throws; linear time; at most `countMax` attributes; no control characters, no
 * `<`, no `>`; only the five named entities; single spaces between attributes, none elsewhere.
 */
import { accepted, rejected, type Verdict } from './rejection.js';

export interface ScanLimits {
  readonly countMax: number;
  readonly valueLengthMax: number;
}

/** Bounds for packets (§2.4): a hello with everything has 17 attributes. */
export const PACKET_LIMITS: ScanLimits = { countMax: 32, valueLengthMax: 1200 };

const NAME_PATTERN = /^[A-Za-z][A-Za-z0-9-]{0,31}$/;
const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
};
/** Anything but printable Unicode; also lone surrogates and non-characters. */
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f<>\ufffe\uffff\u2028\u2029]|[\ud800-\udfff]/u;

/** All that nearly every packet is made of; what fits needs no decoding and no further look. */
const PLAIN = /^[ !-;=?-~]*$/;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The attributes of a frame in order, values with their entities resolved. */
export function scanAttributes(bytes: Buffer, limits: ScanLimits): Verdict<Map<string, string>> {
  const text = decodeText(bytes);
  if (text === undefined) return rejected('encoding');
  const attributes = new Map<string, string>();
  let at = 0;
  for (;;) {
    const equals = text.indexOf('="', at);
    if (equals < 0) return rejected('attributes');
    const name = text.slice(at, equals);
    const close = text.indexOf('"', equals + 2);
    if (close < 0 || !NAME_PATTERN.test(name)) return rejected('attributes');
    if (name === 'sig' || attributes.has(name)) return rejected('attributes');
    const value = resolveEntities(text.slice(equals + 2, close));
    if (value === undefined || value.length > limits.valueLengthMax) return rejected('attributes');
    attributes.set(name, value);
    if (attributes.size > limits.countMax) return rejected('attributes');
    if (close + 1 === text.length) return accepted(attributes);
    if (text[close + 1] !== ' ') return rejected('attributes');
    at = close + 2;
  }
}

/** The bytes as printable text without angle brackets; `undefined` if they are not that. */
function decodeText(bytes: Buffer): string | undefined {
  const plain = bytes.toString('latin1');
  if (PLAIN.test(plain)) return plain;
  try {
    const text = decoder.decode(bytes);
    return FORBIDDEN.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function resolveEntities(raw: string): string | undefined {
  if (!raw.includes('&')) return raw;
  let unknown = false;
  const resolved = raw.replace(/&[a-z]{0,4};?/g, (entity) => {
    const value = ENTITIES[entity];
    if (value === undefined) unknown = true;
    return value ?? '';
  });
  return unknown ? undefined : resolved;
}
