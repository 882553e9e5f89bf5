/**
 * Plugins' own packets (PROTOCOL §2.2): checked and bounded before they leave, handed to the
 * listeners of the same plugin when they come in. Invariants: what leaves fits a packet and passes
 * every receiver's gate; a plugin, and a node for each plugin, has a rate; a listener that throws
 * disturbs nobody.
 */
import { CodedError } from '@peerage/sdk';
import { Counters } from '../base/bounded.js';
import { RateLimit } from '../base/rate.js';
import type { Clock } from '../base/time.js';
import type { Announcement, AnnouncementListener } from '../ports/ports.js';

/** Values of one announcement, and the length of each in characters. */
const VALUES_MAX = 8;
const VALUE_LENGTH_MAX = 200;
/** Names and values together, in bytes as written: a packet holds 1400 with header and signature. */
const TEXT_BYTES_MAX = 700;
/** A plugin's announcements; each is a packet that every node verifies (0.1 ms). */
const SENT = { perSecond: 5, burst: 20, sourcesMax: 256 };
/** The same from each node for each plugin, with room for those who hear two networks. */
const HEARD = { perSecond: 10, burst: 40, sourcesMax: 4096 };
/** Listeners of one plugin. */
const LISTENERS_MAX = 16;

const NAME = /^[a-z0-9][a-z0-9-]{0,19}$/;
const KEY = /^[A-Za-z][A-Za-z0-9-]{0,31}$/;
/** Names that the packet itself uses. */
const RESERVED = /^(service|type|version|group|kid|boot|seq|ts|addr|port|to|cert|sig)$/;
const UNWRITABLE = /[\p{Cc}\p{Cs}\u2028\u2029\ufffe\uffff]/u;

export class Announcements {
  readonly counters: Counters;
  private readonly clock: Clock;
  private readonly sent = new RateLimit(SENT);
  private readonly heard = new RateLimit(HEARD);
  private readonly listeners = new Map<string, Set<AnnouncementListener>>();

  constructor(clock: Clock, counters: Counters) {
    this.clock = clock;
    this.counters = counters;
  }

  /** @throws CodedError `E_ANNOUNCEMENT_INVALID`, `E_ANNOUNCEMENT_RATE` */
  check(service: string, name: string, values: Readonly<Record<string, string>>): void {
    const fault = faultOf(name, values);
    if (fault !== undefined) {
      throw new CodedError('E_ANNOUNCEMENT_INVALID', `${service} announces ${name}: ${fault}`, {
        expected: `at most ${VALUES_MAX} short texts under plain names`,
      });
    }
    if (this.sent.take(service, this.clock.nowMs())) return;
    throw new CodedError('E_ANNOUNCEMENT_RATE', `${service} announces too often`, {
      expected: `at most ${SENT.perSecond} announcements a second`,
      action: 'announce less, or less often',
    });
  }

  listen(service: string, listener: AnnouncementListener): { dispose(): void } {
    const own = this.listeners.get(service) ?? new Set();
    if (own.size >= LISTENERS_MAX) {
      throw new CodedError('E_ANNOUNCEMENT_INVALID', `${service} listens too many times`, {
        expected: `at most ${LISTENERS_MAX} listeners`,
      });
    }
    own.add(listener);
    this.listeners.set(service, own);
    return { dispose: () => void own.delete(listener) };
  }

  /** The heart's effect `deliver`. */
  deliver(service: string, announcement: Announcement): void {
    const own = this.listeners.get(service);
    if (own === undefined || own.size === 0) return this.counters.add('custom-undelivered');
    if (!this.heard.take(`${service}|${announcement.from}`, this.clock.nowMs()))
      return this.counters.add('custom-over-rate');
    this.counters.add('custom-delivered');
    for (const listener of [...own]) {
      try {
        listener(announcement);
      } catch {
        this.counters.add('custom-listener-failed');
      }
    }
  }
}

function faultOf(name: string, values: Readonly<Record<string, string>>): string | undefined {
  if (!NAME.test(name)) return 'its name is not 1 to 20 lower-case letters, digits and dashes';
  const pairs = Object.entries(values);
  if (pairs.length > VALUES_MAX) return `${pairs.length} values`;
  let bytes = 0;
  for (const [key, value] of pairs) {
    if (!KEY.test(key) || RESERVED.test(key)) return `a value cannot be called ${key.slice(0, 40)}`;
    if (value.length > VALUE_LENGTH_MAX) return `${key} has ${value.length} characters`;
    if (UNWRITABLE.test(value)) return `${key} has a character that cannot be written`;
    bytes += key.length + new TextEncoder().encode(value.replace(/[&<>"']/g, '&quot;')).length;
  }
  return bytes > TEXT_BYTES_MAX ? `${bytes} bytes of values` : undefined;
}
