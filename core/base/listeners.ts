/**
 * Those who want to know when something happens. Listeners are told at once, in order, in the turn
 * in which it happens; they must not throw.
 */
export type Listener<T> = (event: T) => void;

export class Listeners<T> {
  private readonly listeners = new Set<Listener<T>>();

  /** Tells this one from now on, until the result is disposed of. */
  add(listener: Listener<T>): { dispose(): void } {
    this.listeners.add(listener);
    return { dispose: () => void this.listeners.delete(listener) };
  }

  tell(event: T): void {
    for (const listener of this.listeners) listener(event);
  }
}
