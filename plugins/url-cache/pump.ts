/**
 * The pump: a body into an answer, at the client's pace.
 *
 * Last step of every flow that carries content. Invariants: an answer ends cleanly only if its
 * body did and had the promised length; otherwise the connection is cut. The body is always read
 * to its end or closed, at once when the client goes away.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { CodedError } from '@peerage/sdk';

/** Closes a body that nobody wants any more. */
export async function closeBody(body: AsyncIterable<Uint8Array>): Promise<void> {
  await closeIterator(body[Symbol.asyncIterator]());
}

/** Sends a body whose head is set; throws if it is not what was promised. */
export async function pump(
  body: AsyncIterable<Uint8Array>,
  response: ServerResponse,
  promise: { readonly lengthBytes: number | undefined; readonly signal: AbortSignal },
): Promise<void> {
  const { lengthBytes, signal } = promise;
  const iterator = body[Symbol.asyncIterator]();
  const stop = () => void closeIterator(iterator);
  signal.addEventListener('abort', stop, { once: true });
  try {
    let sentBytes = 0;
    for (;;) {
      const step = await iterator.next();
      signal.throwIfAborted();
      if (step.done === true) break;
      sentBytes += step.value.byteLength;
      if (lengthBytes !== undefined && sentBytes > lengthBytes) throw unlike(lengthBytes, 'longer');
      if (lengthBytes === undefined) await writeOpen(response, step.value, signal);
      else await write(response, step.value, signal);
    }
    if (lengthBytes !== undefined && sentBytes < lengthBytes) throw unlike(lengthBytes, 'shorter');
    response.end();
  } finally {
    signal.removeEventListener('abort', stop);
    await closeIterator(iterator);
  }
}

/** Writes a chunk; resolves when it has left for the system, so that its memory is free again. */
function write(response: ServerResponse, chunk: Uint8Array, signal: AbortSignal): Promise<void> {
  if (chunk.byteLength === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    response.write(chunk, (error) => {
      signal.removeEventListener('abort', abort);
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}

/**
 * The same for a body without known length. Where such a body breaks off the connection must be
 * seen to be reset, which is sure only while bytes wait: so they are copied and not waited for.
 */
async function writeOpen(
  response: ServerResponse,
  chunk: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  if (chunk.byteLength === 0 || response.write(Buffer.from(chunk))) return;
  await once(response, 'drain', { signal });
}

async function closeIterator(iterator: AsyncIterator<Uint8Array>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // What a closed body still has to say interests nobody: its error was reported by next().
  }
}

function unlike(lengthBytes: number, how: 'longer' | 'shorter'): CodedError {
  return new CodedError('E_BODY_LENGTH', `the body is ${how} than its head promised`, {
    expected: `${lengthBytes} bytes`,
    action: 'download it again',
  });
}
