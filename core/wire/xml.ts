/**
 * The XML parser behind the gate (PROTOCOL §2.4): the same bytes, read by fast-xml-parser. What it
 * says is what the message is made of; the gate only decided that the bytes are harmless.
 */
import { XMLParser } from 'fast-xml-parser';

const PREFIX = '@';

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: PREFIX,
  processEntities: true,
  htmlEntities: false,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
});

/** The attributes of the one element of `text`; `undefined` if it is not exactly that. */
export function parseElement(text: string): Map<string, string> | undefined {
  let document: unknown;
  try {
    document = parser.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(document) || Object.keys(document).length !== 1) return undefined;
  const element = document['service'];
  if (!isRecord(element)) return undefined;
  const attributes = new Map<string, string>();
  for (const [name, value] of Object.entries(element)) {
    if (!name.startsWith(PREFIX) || typeof value !== 'string') return undefined;
    attributes.set(name.slice(PREFIX.length), value);
  }
  return attributes;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
