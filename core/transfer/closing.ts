/**
 * A body whose source is closed with it. On the way of a local delivery, between the store's
 * reader and the caller; without it a body that is closed before its first read leaves the file open.
 */

/** A body that closes its source also when nobody began to read it. */
export function closing(
  body: AsyncGenerator<Uint8Array>,
  source: AsyncIterator<Buffer>,
): AsyncIterableIterator<Uint8Array> {
  const iterator: AsyncIterableIterator<Uint8Array> = {
    next: () => body.next(),
    return: async () => {
      await body.return(undefined);
      await source.return?.(undefined);
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
