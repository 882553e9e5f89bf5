/**
 * The plugin's end of a ticket: reads the frames of `tickets` and yields the body. Ends cleanly
 * only at the end mark; a broken connection or an error mark throws.
 */
import { connect, type Socket } from 'node:net';
import { CodedError } from '@peerage/sdk';
import { fromWireError, type WireError } from './channel.js';

const ERROR_MARK = 0xffffffff;

/** Redeems a ticket at once; the body flows when it is iterated. */
export function redeem(path: string, ticket: string): AsyncIterableIterator<Uint8Array> {
  const socket = connect(path);
  socket.on('error', () => undefined);
  socket.write(ticket);
  const frames = readFrames(socket);
  const iterator: AsyncIterableIterator<Uint8Array> = {
    next: () => frames.next(),
    return: async () => {
      socket.destroy();
      await frames.return(undefined);
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

async function* readFrames(socket: Socket): AsyncGenerator<Uint8Array> {
  let left = 0;
  let head = Buffer.alloc(0);
  let fault: Buffer[] | undefined;
  try {
    for await (const data of socket as AsyncIterable<Buffer>) {
      let chunk = data;
      while (chunk.length > 0) {
        if (fault !== undefined) {
          fault.push(chunk);
          break;
        }
        if (left > 0) {
          const part = chunk.subarray(0, left);
          left -= part.length;
          chunk = chunk.subarray(part.length);
          yield part;
          continue;
        }
        const wanted = 4 - head.length;
        head = Buffer.concat([head, chunk.subarray(0, wanted)]);
        chunk = chunk.subarray(wanted);
        if (head.length < 4) continue;
        left = head.readUInt32BE();
        head = Buffer.alloc(0);
        if (left === 0) return;
        if (left === ERROR_MARK) fault = [];
      }
    }
  } finally {
    socket.destroy();
  }
  if (fault !== undefined) throw readError(Buffer.concat(fault));
  throw coreGone();
}

/** The error behind the mark: a length and that much JSON. */
function readError(bytes: Buffer): Error {
  try {
    return fromWireError(JSON.parse(bytes.subarray(4).toString('utf8')) as WireError);
  } catch {
    return coreGone();
  }
}

function coreGone(): CodedError {
  return new CodedError('E_CORE_GONE', 'the core broke the body off');
}
