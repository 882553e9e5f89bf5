/** `Storage`: small values of the plugin that outlive its process, one JSON file each. */
import { sharedToken } from './injection.js';

abstract class StorageBase {
  /** The value kept under this key; `undefined` if there is none. @throws CodedError `E_STORAGE` */
  abstract get(key: string): Promise<unknown>;
  /**
   * Keeps a JSON value of at most 1 MiB, whole or not at all. Keys are 1 to 100 characters.
   * @throws CodedError `E_STORAGE`
   */
  abstract set(key: string, value: unknown): Promise<void>;
  /** Forgets it; harmless if there is none. */
  abstract delete(key: string): Promise<void>;
  abstract keys(): Promise<readonly string[]>;
}

/** Small values that last; inject it by type. */
export const Storage = sharedToken('Storage', StorageBase);
export type Storage = StorageBase;
