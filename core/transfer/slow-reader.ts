/**
 * Readers that hold an upload by taking next to nothing (PROTOCOL §6.2). Silence is caught by the
 * server's idle limit; this catches the drip.
 *
 * Invariant: only a reader is cut that kept bytes waiting all the time; a source that is slow itself
 * (a download in progress) costs nobody its connection.
 */
import type { Socket } from 'node:net';

/** In this time a reader takes at least one write of ours, a piece at most: 17 kB/s. */
const WRITE_MS = 15_000;

/** Watches until the returned function is called; `cut` is called at most once. */
export function watchReader(socket: Socket, cut: () => void, writeMs = WRITE_MS): () => void {
  // What is waiting counts as written; what is taken is the rest.
  const taken = () => socket.bytesWritten - socket.writableLength;
  let before = taken();
  let waited = false;
  const timer = setInterval(() => {
    const now = taken();
    const waits = socket.writableLength > 0;
    if (waits && waited && now === before) {
      clearInterval(timer);
      cut();
    }
    waited = waits;
    before = now;
  }, writeMs / 2);
  timer.unref();
  return () => clearInterval(timer);
}
