/**
 * Tables that cannot grow without end. Every table that a peer, a client or a plugin can fill is
 * one of these; what falls out is said by the name.
 */
import { assert } from './assert.js';

/** A map of at most `limit` entries; a new one pushes out the least recently set or touched one. */
export class BoundedMap<K, V> {
  private readonly entries = new Map<K, V>();
  /** The most recent key, which need not be moved to the end: it is often the next one too. */
  private newest: K | undefined;
  readonly limit: number;

  constructor(limit: number) {
    assert(limit >= 1, 'a bounded map needs room for one entry');
    this.limit = limit;
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: K): V | undefined {
    return this.entries.get(key);
  }

  has(key: K): boolean {
    return this.entries.has(key);
  }

  /** Reads an entry and makes it the most recent one. */
  touch(key: K): V | undefined {
    const value = this.entries.get(key);
    if (value === undefined || key === this.newest) return value;
    this.entries.delete(key);
    this.entries.set(key, value);
    this.newest = key;
    return value;
  }

  /** Adds or replaces an entry; returns the one that was pushed out, if any. */
  set(key: K, value: V): V | undefined {
    if (key !== this.newest) this.entries.delete(key);
    this.newest = key;
    this.entries.set(key, value);
    if (this.entries.size <= this.limit) return undefined;
    const oldest = this.entries.entries().next().value;
    if (oldest === undefined) return undefined;
    this.entries.delete(oldest[0]);
    return oldest[1];
  }

  delete(key: K): boolean {
    if (key === this.newest) this.newest = undefined;
    return this.entries.delete(key);
  }

  clear(): void {
    this.newest = undefined;
    this.entries.clear();
  }

  values(): IterableIterator<V> {
    return this.entries.values();
  }

  keys(): IterableIterator<K> {
    return this.entries.keys();
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries.entries();
  }
}

/** Counts by name, at most `limit` names; further names are counted under `other`. */
export class Counters {
  private readonly counts = new Map<string, number>();
  private readonly limit: number;

  constructor(limit = 256) {
    this.limit = limit;
  }

  add(name: string, amount = 1): void {
    const known = this.counts.has(name) || this.counts.size < this.limit ? name : 'other';
    this.counts.set(known, (this.counts.get(known) ?? 0) + amount);
  }

  get(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  /** All counts, sorted by name. */
  snapshot(): Record<string, number> {
    return Object.fromEntries([...this.counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
