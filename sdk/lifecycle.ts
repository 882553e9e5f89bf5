/** Lifetimes: whatever must be given back is a {@link Disposable}. */

/** Something that holds a resource until it is disposed of; disposing twice is harmless. */
export interface Disposable {
  dispose(): void | Promise<void>;
}

/** The part of an `AbortSignal` that the services need (the ES library does not declare it). */
export interface CancellationSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}
