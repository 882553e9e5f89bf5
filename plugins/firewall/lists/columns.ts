/**
 * Tables: CSV with a named or numbered column, and JSON arrays of objects with a named field, as
 * abuse.ch publishes them. In JSON the "line" of an entry is the number of its item.
 */
import { MAX_ATTRIBUTION_LINES, MAX_ENTRIES } from '../limits.js';
import { linesOf, refusePage } from './lines.js';
import { entriesOf, type ListEntry, listFault, type ParsedList } from './list.js';

/** Reads CSV; `column` is a name of the head line or a number from 1. */
export function parseCsv(source: string, text: string, column: string): ParsedList {
  refusePage(source, text);
  const entries: ListEntry[] = [];
  const attribution: string[] = [];
  const isNumber = /^[1-9]\d?$/.test(column);
  let index = isNumber ? Number(column) - 1 : undefined;
  for (const [number, line] of linesOf(source, text)) {
    const isComment = line.startsWith('#');
    if (line.trim() === '') continue;
    if (index === undefined || isComment) {
      // abuse.ch writes the head line as its last comment, others as the first line of data.
      const head = line.replace(/^#\s*/, '').replaceAll('"', '');
      const found = fieldsOf(source, number, head).indexOf(column);
      if (found >= 0) index ??= found;
      else if (!isComment) throw listFault(source, number, `has no column "${column}"`);
      else if (attribution.length < MAX_ATTRIBUTION_LINES) attribution.push(line.slice(1).trim());
      continue;
    }
    const field = fieldsOf(source, number, line)[index];
    if (field === undefined) throw listFault(source, number, `has no column ${column}`);
    for (const entry of entriesOf(source, number, field)) entries.push(entry);
  }
  return { entries, attribution };
}

/** The fields of a line of CSV, blanks around them removed. */
function fieldsOf(source: string, number: number, line: string): string[] {
  if (!line.includes('"')) return line.split(',').map((field) => field.trim());
  const fields: string[] = [];
  const field = /\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(,|$)/y;
  for (;;) {
    const match = field.exec(line);
    if (match === null) throw listFault(source, number, 'a quotation that does not end');
    const [, inQuotes, plain = '', separator] = match;
    fields.push(inQuotes === undefined ? plain.trim() : inQuotes.replaceAll('""', '"'));
    if (separator === '') return fields;
  }
}

/** Reads a JSON array of objects, or the array under `list` of an object. */
export function parseJson(
  source: string,
  text: string,
  column: string,
  list: string | undefined,
): ParsedList {
  refusePage(source, text);
  const rows = rowsOf(source, text, list);
  if (rows.length > MAX_ENTRIES) throw listFault(source, undefined, `has ${rows.length} items`);
  const entries = rows.flatMap((row, index) => {
    const field = (row as Record<string, unknown> | null)?.[column];
    if (typeof field !== 'string') throw listFault(source, index + 1, `has no text "${column}"`);
    return entriesOf(source, index + 1, field);
  });
  return { entries, attribution: [] };
}

function rowsOf(source: string, text: string, list: string | undefined): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 100) : 'it cannot be read';
    throw listFault(source, undefined, `not JSON, or cut off: ${why}`);
  }
  const rows = list === undefined ? value : (value as Record<string, unknown> | null)?.[list];
  if (Array.isArray(rows)) return rows as readonly unknown[];
  throw listFault(source, undefined, list === undefined ? 'no JSON array' : `no array "${list}"`);
}
