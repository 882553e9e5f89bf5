/**
 * What a beacon says changes seldom: in a quiet group nearly every packet is a hello that differs
 * from its sender's last one in number, time and signature only. The gate and the signature are checked
 * each time; what such a packet means was read by the parser the first time. Half of an idle node's
 * work goes away with it.
 *
 * Invariants: only messages that the parser read from equal attributes are handed out; what was read
 * belongs to the kid and so to the key that signed it; at most SENDERS_MAX senders.
 */
import { BoundedMap } from '../base/bounded.js';
import type { Received } from '../protocol/message.js';

/** Senders remembered: the members of a LAN. An entry is a kilobyte at most. */
const SENDERS_MAX = 1024;
/** Attributes that differ in each packet and that no message is made of. */
const FLEETING: ReadonlySet<string> = new Set(['seq', 'ts']);

interface Reading {
  readonly attributes: ReadonlyMap<string, string>;
  readonly received: Received;
}

export class RepeatedHellos {
  private readonly readings = new BoundedMap<string, Reading>(SENDERS_MAX);

  /** What the sender's last hello meant, if this one says the same. */
  find(attributes: ReadonlyMap<string, string>, name: string): Received | undefined {
    if (attributes.get('type') !== 'hello') return undefined;
    const reading = this.readings.get(attributes.get('kid') ?? '');
    if (reading === undefined || reading.received.from.name !== name) return undefined;
    return isSame(reading.attributes, attributes) ? reading.received : undefined;
  }

  /** Remembers what the parser made of a hello. */
  keep(attributes: ReadonlyMap<string, string>, received: Received): void {
    if (received.message.type === 'hello')
      this.readings.set(received.from.kid, { attributes, received });
  }
}

function isSame(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  if (one.size !== other.size) return false;
  for (const [name, value] of one) {
    if (!FLEETING.has(name) && other.get(name) !== value) return false;
  }
  return other.has('seq') && other.has('ts');
}
