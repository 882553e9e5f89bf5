/** The one error of a port that is not to be had; said at the start, and when a cable comes back. */
import { CodedError } from '@peerage/sdk';

export function portTaken(address: string, port: number, cause: unknown): CodedError {
  return new CodedError('E_PORT_TAKEN', `cannot listen on ${address}:${port} for objects`, {
    expected: 'a free TCP port and an address of this machine',
    action: 'stop what uses it, or set core.objectPort or core.address',
    cause,
  });
}
