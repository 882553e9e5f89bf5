/**
 * One owner for many lifetimes. Things are added at the moment of their creation and disposed of
 * in reverse order, once, each even if an earlier one failed.
 */
import type { Disposable } from '@peerage/sdk';

export class DisposableStore implements Disposable {
  private items: Disposable[] = [];
  private disposing: Promise<void> | undefined;

  /** Takes ownership of `item` and returns it. */
  add<T extends Disposable>(item: T): T {
    this.items.push(item);
    return item;
  }

  /** Takes ownership of a piece of clean-up. */
  onDispose(clean: () => void | Promise<void>): void {
    this.items.push({ dispose: clean });
  }

  /**
   * Disposes of everything, last first, and waits for each.
   * @throws AggregateError with all failures, after everything was tried
   */
  dispose(): Promise<void> {
    this.disposing ??= this.disposeAll();
    return this.disposing;
  }

  private async disposeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (;;) {
      const item = this.items.pop();
      if (item === undefined) break;
      try {
        await item.dispose();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'clean-up failed');
  }
}
