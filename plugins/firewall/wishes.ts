/**
 * What the admin said by commands and what outlives a restart: addresses never to be blocked, and
 * versions to stay at after a rollback.
 */
import type { Storage } from '@peerage/sdk';
import { EntryFault, parseEntry } from './prefix.js';

const ALLOWED = 'allowed';
const PINS = 'pins';
/** Addresses that commands may add; more belongs into the settings. */
const MAX_ALLOWED = 1_000;

export class Wishes {
  private readonly storage: Pick<Storage, 'get' | 'set'>;
  private allow: readonly string[] = [];
  private pinned: Readonly<Record<string, string>> = {};

  constructor(storage: Pick<Storage, 'get' | 'set'>) {
    this.storage = storage;
  }

  async open(): Promise<void> {
    const allowed = await this.storage.get(ALLOWED);
    if (Array.isArray(allowed)) this.allow = allowed.filter((one) => typeof one === 'string');
    const pins = await this.storage.get(PINS);
    if (typeof pins === 'object' && pins !== null) this.pinned = pins as Record<string, string>;
  }

  get allowed(): readonly string[] {
    return this.allow;
  }

  get pins(): Readonly<Record<string, string>> {
    return this.pinned;
  }

  /** @throws EntryFault if one is no address, prefix or range */
  async change(texts: readonly string[], remove: boolean): Promise<void> {
    for (const text of texts) parseEntry(text);
    const others = this.allow.filter((one) => !texts.includes(one));
    const allow = remove ? others : [...others, ...texts];
    if (allow.length > MAX_ALLOWED) throw new EntryFault(`more than ${MAX_ALLOWED} addresses`);
    await this.storage.set(ALLOWED, allow);
    this.allow = allow;
  }

  async pin(source: string, version: string): Promise<void> {
    await this.setPins({ ...this.pinned, [source]: version });
  }

  async unpinAll(): Promise<void> {
    await this.setPins({});
  }

  private async setPins(pins: Readonly<Record<string, string>>): Promise<void> {
    await this.storage.set(PINS, pins);
    this.pinned = pins;
  }
}
