/**
 * The judgements of tuf-js as coded errors: which attack, or which mistake of the publisher, it was.
 *
 * tuf-js wraps some of its errors in text only, so the class is looked for in names and messages.
 */
import { CodedError } from '@peerage/sdk';

const KINDS: ReadonlyArray<readonly [pattern: RegExp, code: string, what: string]> = [
  [/answered with/, 'E_FEED_STATUS', 'the feed is not where it should be'],
  [
    /Expired/,
    'E_FEED_EXPIRED',
    'its metadata has expired: somebody may be holding back newer ones',
  ],
  [/BadVersion|[Vv]ersion .*(less|older|lower|match)/, 'E_FEED_ROLLBACK', 'older metadata came'],
  [/LengthMismatch|more than/, 'E_FEED_LENGTH', 'metadata is longer than it may be'],
  [/HashMismatch|hash|length/i, 'E_FEED_MIXED', 'metadata does not fit together'],
  [/Unsigned|signed by|threshold|signature/i, 'E_FEED_UNSIGNED', 'metadata lacks signatures'],
  [/JSON|SyntaxError|Unexpected token|not an object/i, 'E_FEED_FORMAT', 'metadata cannot be read'],
];

/** A coded error for whatever a refresh has thrown. */
export function feedError(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const name = error instanceof Error ? error.constructor.name : '';
  const message = error instanceof Error ? error.message : String(error);
  const text = `${name} ${message}`;
  const found = KINDS.find(([pattern]) => pattern.test(text));
  const [, code, what] = found ?? [undefined, 'E_FEED_REFUSED', 'metadata was refused'];
  return new CodedError(code, `${what} (${message.slice(0, 200)})`, {
    expected: 'metadata as its publisher signed it',
    action: 'what is in force stays; the next check asks again',
    cause: error,
  });
}
