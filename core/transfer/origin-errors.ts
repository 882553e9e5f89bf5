/** What is said when an origin's answer cannot be used to its end. */
import { CodedError } from '@peerage/sdk';

/** What comes is not what was begun. */
export function changed(url: string): CodedError {
  return new CodedError('E_ORIGIN_CHANGED', `${url} has changed since a peer fetched it`, {
    action: 'ask again',
  });
}

/** The rest did not come, and nobody has it. */
export function brokenOff(url: string, receivedBytes: number, cause: unknown): CodedError {
  return new CodedError('E_BODY_TRUNCATED', `${url} broke off after ${receivedBytes} bytes`, {
    cause,
  });
}
