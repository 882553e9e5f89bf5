/**
 * Work on the same thing, one after the other: each key has a queue of its own, and is forgotten
 * when the queue is empty. Invariant: work of one key never overlaps; a failure stops nobody else.
 */
export class Turns {
  private readonly last = new Map<string, Promise<void>>();

  /** Runs `work` after all earlier work of this key. Must not be called from within such work. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(key) ?? Promise.resolve();
    const running = before.then(work);
    const done = running.then(
      () => undefined,
      () => undefined,
    );
    this.last.set(key, done);
    try {
      return await running;
    } finally {
      if (this.last.get(key) === done) this.last.delete(key);
    }
  }
}
