/** What all commands share: their result as text or JSON, and the error for wrong use. */
import type { Writable } from 'node:stream';
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

/**
 * Resolves when what was written to a stream is out: a pipe whose reader is slow takes it later, and
 * a process that ends before loses it. Also when nobody can be told any more.
 */
export function written(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.once('error', () => resolve());
    stream.write('', () => resolve());
  });
}
