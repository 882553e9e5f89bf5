/** Talks to the running service over its local sockets. */
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { CodedError } from '@peerage/sdk';

/** Most that a JSON answer may hold. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

/** @throws CodedError `E_NOT_RUNNING`, `E_FORBIDDEN`, or the service's own */
export function send(
  stateDirectory: string,
  method: string,
  path: string,
  mayChange: boolean,
): Promise<IncomingMessage> {
  const socketPath = join(stateDirectory, mayChange ? 'control.sock' : 'status.sock');
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, agent: false }, resolve);
    outgoing.once('error', (cause: NodeJS.ErrnoException) =>
      reject(notReached(stateDirectory, cause)),
    );
    outgoing.end();
  });
}

function notReached(stateDirectory: string, cause: NodeJS.ErrnoException): CodedError {
  if (cause.code === 'EACCES' || cause.code === 'EPERM') {
    return new CodedError('E_FORBIDDEN', 'only the user that runs the service may do this', {
      cause,
    });
  }
  return new CodedError('E_NOT_RUNNING', `no node is running in ${stateDirectory}`, {
    action: 'start one with `peerage start`, or name its directory with --state',
    cause,
  });
}

/** The JSON that the service answers. @throws CodedError */
export async function ask(stateDirectory: string, method: string, path: string): Promise<unknown> {
  const response = await send(stateDirectory, method, path, method !== 'GET');
  const value: unknown = JSON.parse((await readAll(response)).toString('utf8'));
  if (response.statusCode === 200) return value;
  throw serviceError(value);
}

export async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > ANSWER_BYTES_MAX)
      throw new CodedError('E_INTERNAL', 'the service answered too much');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function serviceError(value: unknown): CodedError {
  const { code, error } = value as { code?: string; error?: string };
  return new CodedError(code ?? 'E_INTERNAL', error ?? 'the service failed');
}
