/**
 * The one door in: bytes of a datagram become a verified message, or a counted rejection. The
 * checks stand in order of cost (PROTOCOL §2.4); nothing is ever sent because of a packet that did
 * not pass them all. Never throws.
 */
import type { KeyObject } from 'node:crypto';
import { RateLimit } from '../base/rate.js';
import type { InstantMs } from '../base/time.js';
import { PACKET_BYTES_MAX } from '../protocol/limits.js';
import type { Received } from '../protocol/message.js';
import { VerifyBudget } from './budget.js';
import { SenderClocks } from './clocks.js';
import { decodeMessage } from './codec.js';
import { type Frame, splitFrame, verifyFrame } from './frame.js';
import { accepted, rejected, type Verdict } from './rejection.js';
import { RepeatedHellos } from './repeats.js';
import { ReplayWindows } from './replay.js';
import { PACKET_LIMITS, scanAttributes } from './scan.js';
import { fitsSchema } from './schema.js';
import { isReadable } from './version.js';
import { parseElement } from './xml.js';

/** Packets whose clock is further off than this are refused (§2.4). */
export const TIME_WINDOW_MS = 60_000;
/** Of those, up to this far off, one a second is verified, to tell the admin of a wrong clock. */
const SKEW_LOOK_MS = 24 * 60 * 60_000;
const SKEW_LOOKS = { perSecond: 1, burst: 3, sourcesMax: 1 };
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
  /** Whether a bad certificate may be of a CA that followed one that is believed (§1.9). */
  mayFollow?(certificate: string): boolean;
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
  /** The senders' clocks, where something outlives this opener. */
  readonly clocks?: SenderClocks;
}

export class Opener {
  private readonly options: OpenOptions;
  private readonly replays = new ReplayWindows();
  private readonly repeats = new RepeatedHellos();
  private readonly budget = new VerifyBudget();
  private readonly skewLooks = new RateLimit(SKEW_LOOKS);
  readonly clocks: SenderClocks;
  /** Called with the kid and source of a packet whose certificate is not known (§2.5). */
  onUnknown: ((kid: string, address: string, port: number) => void) | undefined;

  constructor(options: OpenOptions) {
    this.options = options;
    this.clocks = options.clocks ?? new SenderClocks();
  }

  open(bytes: Buffer, origin: Origin, now: InstantMs, wallMs: number): Verdict<Received> {
    if (bytes.length < PACKET_BYTES_MIN || bytes.length > PACKET_BYTES_MAX)
      return rejected('length');
    const split = splitFrame(bytes);
    if (!split.ok) return split;
    const scanned = scanAttributes(split.value.attributes, PACKET_LIMITS);
    if (!scanned.ok) return scanned;
    const attributes = scanned.value;
    if (!isReadable(attributes.get('version'))) return rejected('version');
    if (!fitsSchema(attributes)) return rejected('schema');
    if (attributes.get('group') !== this.options.group) return rejected('schema');
    const kid = attributes.get('kid') ?? '';
    if (kid === this.options.ownKid) return rejected('own');
    if (attributes.get('addr') !== origin.address || !origin.onLink) return rejected('address');
    const ts = Number(attributes.get('ts'));
    if (Math.abs(ts - wallMs) > TIME_WINDOW_MS) {
      this.lookAtClock(split.value, attributes, ts, now, wallMs);
      return rejected('time');
    }
    const boot = attributes.get('boot') ?? '';
    const seq = Number(attributes.get('seq'));
    if (!Number.isSafeInteger(seq) || !this.replays.isNew(kid, boot, seq))
      return rejected('replay');
    if (this.clocks.isFromBefore(kid, ts)) return rejected('replay');
    if (!this.budget.take(origin.address, now)) return rejected('budget');
    const known = this.findKey(kid, attributes, origin.address);
    if (!known.ok) return known;
    if (!verifyFrame('peerage/packet/v1', split.value, known.value.key))
      return rejected('signature');
    this.budget.giveBack(origin.address);
    this.replays.accept(kid, boot, seq);
    this.clocks.heard(kid, ts, wallMs);
    const repeated = this.repeats.find(attributes, known.value.name);
    if (repeated !== undefined) return accepted(repeated);
    const read = this.read(bytes, known.value.name);
    if (read.ok) this.repeats.keep(attributes, read.value);
    return read;
  }

  /** Whose clock is that far off? Nothing comes of it but a line in `status`. */
  private lookAtClock(
    frame: Frame,
    attributes: ReadonlyMap<string, string>,
    ts: number,
    now: InstantMs,
    wallMs: number,
  ): void {
    if (Math.abs(ts - wallMs) > SKEW_LOOK_MS || !this.skewLooks.take('', now)) return;
    const { keyring } = this.options;
    const kid = attributes.get('kid') ?? '';
    const known = keyring.find(kid) ?? keyring.learn(kid, attributes.get('cert') ?? '');
    if (known === undefined || keyring.isRevoked(known.name)) return;
    if (!verifyFrame('peerage/packet/v1', frame, known.key)) return;
    this.clocks.refused(kid, ts, wallMs);
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
      const followed = certificate !== undefined && keyring.mayFollow?.(certificate) === true;
      if (certificate === undefined || followed)
        this.onUnknown?.(kid, address, Number(attributes.get('port')));
      return rejected(certificate === undefined ? 'unknown-kid' : 'certificate');
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
