/**
 * What every format of list is read into, and how a list says that it is not right.
 *
 * A list is taken whole or not at all: one line that is not understood means that the list is not
 * what it is thought to be. The refusal names the source, the line and what stands there.
 */
import { CodedError } from '@peerage/sdk';
import { QUOTED_CHARACTERS } from '../limits.js';
import { EntryFault, type Prefix, parseEntry } from '../prefix.js';

/** A prefix with the line (or item) of its list. */
export interface ListEntry extends Prefix {
  readonly line: number;
}

export interface ParsedList {
  readonly entries: readonly ListEntry[];
  /** What the publisher wants to travel with the data: heads, copyright, terms. */
  readonly attribution: readonly string[];
  /** When the publisher made it, in seconds since 1970, where the list says so. */
  readonly madeAtSeconds?: number;
}

/** A refusal of a whole list. */
export function listFault(source: string, line: number | undefined, why: string): CodedError {
  const place = line === undefined ? source : `${source}, line ${line}`;
  return new CodedError('E_LIST_INVALID', `${place}: ${why}`, {
    expected: 'a complete list in the format of its source',
    action: 'look at what the URL serves; what was in force stays in force',
  });
}

/** What stands on a line, fit for a log: short, and without control characters. */
export function quoted(text: string): string {
  const short = text.slice(0, QUOTED_CHARACTERS).replace(/[^\x20-\x7e]/g, '?');
  return `"${short}"${text.length > QUOTED_CHARACTERS ? ' …' : ''}`;
}

/** The entries of one field of a list. @throws CodedError `E_LIST_INVALID` */
export function entriesOf(source: string, line: number, text: string): ListEntry[] {
  try {
    return parseEntry(text).map((prefix) => ({ ...prefix, line }));
  } catch (error) {
    if (!(error instanceof EntryFault)) throw error;
    throw listFault(source, line, `${quoted(text)} is ${error.message}`);
  }
}
