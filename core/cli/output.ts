/** What all commands share: their result as text or JSON, and the error for wrong use. */
import { CodedError } from '@peerage/sdk';
import type { CommandLine } from './options.js';

/** Prints a result: JSON if asked for, else the text. */
export function print(line: CommandLine, value: unknown, text: string): void {
  process.stdout.write(`${line.json ? JSON.stringify(value) : text}\n`);
}

/** The command was used wrongly. */
export function usage(message: string): CodedError {
  return new CodedError('E_USAGE', message, { action: 'see `peerage --help`' });
}
