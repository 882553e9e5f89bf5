/** From the bytes of a list to its entries, by the format of its source. */
import { MAX_ENTRIES, MAX_LIST_BYTES } from '../limits.js';
import { parseCsv, parseJson } from './columns.js';
import { parseLines } from './lines.js';
import { listFault, type ParsedList } from './list.js';
import { parseSpamhaus } from './spamhaus.js';

/** How a list is written. */
export interface ListFormat {
  /** `suricata` is an archive of rules and never read as a list. */
  readonly format: 'list' | 'spamhaus' | 'csv' | 'json' | 'suricata';
  /** The column of the addresses, in CSV and JSON. */
  readonly column?: string;
  /** The name of the array in a JSON object. */
  readonly list?: string;
}

/** @throws CodedError `E_LIST_INVALID` that names the source and the line */
export function parseList(source: string, bytes: Uint8Array, how: ListFormat): ParsedList {
  if (bytes.length > MAX_LIST_BYTES) {
    throw listFault(source, undefined, `more than ${MAX_LIST_BYTES} bytes`);
  }
  const list = parseText(source, textOf(source, bytes), how);
  if (list.entries.length > MAX_ENTRIES) {
    throw listFault(source, undefined, `has more than ${MAX_ENTRIES} entries`);
  }
  return list;
}

function parseText(source: string, text: string, how: ListFormat): ParsedList {
  switch (how.format) {
    case 'list':
      return parseLines(source, text);
    case 'spamhaus':
      return parseSpamhaus(source, text);
    case 'csv':
      return parseCsv(source, text, how.column ?? '1');
    case 'json':
      return parseJson(source, text, how.column ?? 'ip_address', how.list);
    case 'suricata':
      throw listFault(source, undefined, 'an archive of rules, not a list');
  }
}

function textOf(source: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw listFault(source, undefined, 'not text in UTF-8');
  }
}
