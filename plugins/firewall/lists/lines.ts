/**
 * Plain lists and FireHOL netsets: one address, prefix or range in a line; `#` and `;` begin a
 * comment. A netset's head states its number of entries, which is checked.
 */
import { MAX_ATTRIBUTION_LINES, MAX_LINE_CHARACTERS, MAX_LINES } from '../limits.js';
import { entriesOf, type ListEntry, listFault, type ParsedList } from './list.js';

/** The lines of a text, without their ends, with their numbers. @throws CodedError */
export function* linesOf(source: string, text: string): Generator<[number, string]> {
  let at = 0;
  for (let line = 1; at < text.length; line += 1) {
    if (line > MAX_LINES) throw listFault(source, line, `more than ${MAX_LINES} lines`);
    const end = text.indexOf('\n', at);
    if (end < 0) throw listFault(source, line, 'the last line has no end: the list is cut off');
    if (end - at > MAX_LINE_CHARACTERS) {
      throw listFault(source, line, `longer than ${MAX_LINE_CHARACTERS} characters`);
    }
    yield [line, text.slice(at, text[end - 1] === '\r' ? end - 1 : end)];
    at = end + 1;
  }
}

/** Refuses what is a web page in the place of a list. */
export function refusePage(source: string, text: string): void {
  if (/^\s*<(?:!doctype|html|head|body|\?xml)/i.test(text.slice(0, 1000))) {
    throw listFault(source, 1, 'a web page, not a list (a login page of the network?)');
  }
}

export function parseLines(source: string, text: string): ParsedList {
  refusePage(source, text);
  const entries: ListEntry[] = [];
  const attribution: string[] = [];
  let rows = 0;
  let stated: number | undefined;
  for (const [number, line] of linesOf(source, text)) {
    const comment = line.search(/[#;]/);
    const field = (comment < 0 ? line : line.slice(0, comment)).trim();
    if (field === '') {
      const said = line.slice(comment + 1).trim();
      if (said !== '' && attribution.length < MAX_ATTRIBUTION_LINES) attribution.push(said);
      stated ??= statedEntries(said);
      continue;
    }
    rows += 1;
    for (const entry of entriesOf(source, number, field)) entries.push(entry);
  }
  if (stated !== undefined && stated !== rows) {
    throw listFault(source, undefined, `its head states ${stated} entries, it has ${rows}`);
  }
  return { entries, attribution };
}

/** The number in FireHOL's `Entries : 4463 subnets, 612345 unique IPs`. */
function statedEntries(comment: string): number | undefined {
  const match = /^Entries\s*:\s*(\d{1,9}) (?:subnets|unique IPs)/.exec(comment);
  return match === null ? undefined : Number(match[1]);
}
