/**
 * The one door in: bytes of a datagram become a verified message, or a counted rejection. The
 * checks stand in order of cost (PROTOCOL §2.4); nothing is ever sent because of a packet that did
 * not pass them all. Never throws.
 */
import type { KeyObject } from 'node:crypto';
import type { InstantMs } from '../base/time.js';
import { PACKET_BYTES_MAX } from '../protocol/limits.js';
import type { Received } from '../protocol/message.js';
import { VerifyBudget } from './budget.js';
import { decodeMessage } from './codec.js';
import { splitFrame, verifyFrame } from './frame.js';
import { accepted, rejected, type Verdict } from './rejection.js';
import { ReplayWindows } from './replay.js';
import { PACKET_LIMITS, scanAttributes } from './scan.js';
import { fitsSchema } from './schema.js';
import { parseElement } from './xml.js';

/** Packets whose clock is further off than this are refused (§2.4). */
export const TIME_WINDOW_MS = 60_000;
const PACKET_BYTES_MIN = 200;

/** What the gate must know about a key: whose it is. */
export interface KnownKey {
  readonly name: string;
  readonly key: KeyObject;
}

/** Which keys are trusted; owned by `trust`. */
export interface Keyring {
  /** The member behind a kid, if its certificate is known and valid now. */
  find(kid: string): KnownKey | undefined;
  /** Learns a certificate (base64url DER) that arrived with a packet; `undefined` if it is bad. */
  learn(kid: string, certificate: string): KnownKey | undefined;
  isRevoked(name: string): boolean;
}

/** Where a datagram came from. */
export interface Origin {
  readonly address: string;
  /** Whether the address is on the interface's own network. */
  readonly onLink: boolean;
}

export interface OpenOptions {
  readonly group: string;
  readonly ownKid: string;
  readonly keyring: Keyring;
}

export class Opener {
  private readonly options: OpenOptions;
  private readonly replays = new ReplayWindows();
  private readonly budget = new VerifyBudget();
  /** Called with the kid and source of a packet whose certificate is not known (§2.5). */
  onUnknown: ((kid: string, address: string, port: number) => void) | undefined;

  constructor(options: OpenOptions) {
    this.options = options;
  }

  open(bytes: Buffer, origin: Origin, now: InstantMs, wallMs: number): Verdict<Received> {
    if (bytes.length < PACKET_BYTES_MIN || bytes.length > PACKET_BYTES_MAX)
      return rejected('length');
    const split = splitFrame(bytes);
    if (!split.ok) return split;
    const scanned = scanAttributes(split.value.attributes, PACKET_LIMITS);
    if (!scanned.ok) return scanned;
    const attributes = scanned.value;
    if (!fitsSchema(attributes)) return rejected('schema');
    if (attributes.get('group') !== this.options.group) return rejected('schema');
    const kid = attributes.get('kid') ?? '';
    if (kid === this.options.ownKid) return rejected('own');
    if (attributes.get('addr') !== origin.address || !origin.onLink) return rejected('address');
    if (Math.abs(Number(attributes.get('ts')) - wallMs) > TIME_WINDOW_MS) return rejected('time');
    const boot = attributes.get('boot') ?? '';
    const seq = Number(attributes.get('seq'));
    if (!Number.isSafeInteger(seq) || !this.replays.isNew(kid, boot, seq))
      return rejected('replay');
    if (!this.budget.take(origin.address, now)) return rejected('budget');
    const known = this.findKey(kid, attributes, origin.address);
    if (!known.ok) return known;
    if (!verifyFrame('peerage/packet/v1', split.value, known.value.key))
      return rejected('signature');
    this.budget.giveBack(origin.address);
    this.replays.accept(kid, boot, seq);
    return this.read(bytes, known.value.name);
  }

  private findKey(
    kid: string,
    attributes: ReadonlyMap<string, string>,
    address: string,
  ): Verdict<KnownKey> {
    const { keyring } = this.options;
    const certificate = attributes.get('cert');
    const found = keyring.find(kid);
    const known =
      found ?? (certificate === undefined ? undefined : keyring.learn(kid, certificate));
    if (known === undefined) {
      if (certificate !== undefined) return rejected('certificate');
      this.onUnknown?.(kid, address, Number(attributes.get('port')));
      return rejected('unknown-kid');
    }
    return keyring.isRevoked(known.name) ? rejected('revoked') : accepted(known);
  }

  /** The signature holds: now the parser reads the same bytes, and the message is made of that. */
  private read(bytes: Buffer, name: string): Verdict<Received> {
    const attributes = parseElement(bytes.toString('utf8'));
    if (attributes === undefined) return rejected('xml');
    attributes.delete('sig');
    if (!fitsSchema(attributes)) return rejected('xml');
    const message = decodeMessage(attributes);
    if (message === undefined) return rejected('schema');
    const from = {
      kid: attributes.get('kid') ?? '',
      name,
      boot: attributes.get('boot') ?? '',
      address: attributes.get('addr') ?? '',
      port: Number(attributes.get('port')),
    };
    return accepted({ from, message });
  }
}
