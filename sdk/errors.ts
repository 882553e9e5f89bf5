/**
 * Coded errors: what every part of Peerage, plugins included, throws.
 *
 * A code is stable and documented (the table in the root README); the message says what happened,
 * `expected` what should have been the case, `action` what to do about it. The cause stays an
 * object, it is never flattened into text.
 */

/** The details that may accompany a {@link CodedError}. */
export interface ErrorDetails {
  /** What should have been the case. */
  readonly expected?: string;
  /** What the reader can do about it. */
  readonly action?: string;
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/** An error with a stable code, for example `E_URL_NOT_GRANTED`. */
export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly code: string;
  readonly expected: string | undefined;
  readonly action: string | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.expected = details.expected;
    this.action = details.action;
  }
}

/** The code of anything thrown: a coded error's, a system error's (`ENOENT`), else `E_INTERNAL`. */
export function errorCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error) {
    const { code } = error;
    if (typeof code === 'string') return code;
  }
  return 'E_INTERNAL';
}

/** One line for a person: message, what was expected, what to do. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { expected, action } = error as Partial<CodedError>;
  const parts = [error.message];
  if (expected !== undefined) parts.push(`expected: ${expected}`);
  if (action !== undefined) parts.push(action);
  return parts.join('; ');
}
