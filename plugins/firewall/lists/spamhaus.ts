/**
 * Spamhaus DROP: a JSON object in each line; the last one is metadata that states how many there
 * were and when they were made. Without it, or with another number, the list is cut off.
 */
import { linesOf, refusePage } from './lines.js';
import { entriesOf, type ListEntry, listFault, type ParsedList, quoted } from './list.js';

export function parseSpamhaus(source: string, text: string): ParsedList {
  refusePage(source, text);
  const entries: ListEntry[] = [];
  let records = 0;
  let last: ParsedList | undefined;
  for (const [number, line] of linesOf(source, text)) {
    if (line.trim() === '') continue;
    if (last !== undefined) throw listFault(source, number, 'data behind the metadata');
    const record = recordOf(source, number, line);
    if (record['type'] === 'metadata') {
      last = metadata(source, number, record, records);
      continue;
    }
    const { cidr } = record;
    if (typeof cidr !== 'string') throw listFault(source, number, 'has no "cidr"');
    records += 1;
    for (const entry of entriesOf(source, number, cidr)) entries.push(entry);
  }
  if (last === undefined) {
    throw listFault(source, undefined, 'ends without its metadata: the list is cut off');
  }
  return { ...last, entries };
}

function metadata(
  source: string,
  line: number,
  record: Readonly<Record<string, unknown>>,
  counted: number,
): ParsedList {
  const { records, timestamp, copyright, terms } = record;
  if (records !== counted) {
    throw listFault(source, line, `states ${String(records)} records, there are ${counted}`);
  }
  if (typeof timestamp !== 'number' || !Number.isSafeInteger(timestamp)) {
    throw listFault(source, line, 'the metadata has no timestamp');
  }
  const date = new Date(timestamp * 1000);
  if (Number.isNaN(date.getTime())) throw listFault(source, line, 'a timestamp that is no date');
  const said = [copyright, terms].filter((part) => typeof part === 'string');
  return {
    entries: [],
    attribution: ['The Spamhaus Project', ...said, date.toISOString()],
    madeAtSeconds: timestamp,
  };
}

function recordOf(source: string, number: number, line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw listFault(source, number, `${quoted(line)} is not JSON`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw listFault(source, number, `${quoted(line)} is not a JSON object`);
}
