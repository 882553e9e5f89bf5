/**
 * The one door out: a message becomes the signed bytes of a datagram. PROTOCOL §2.1-§2.3.
 * Invariant: every call uses a sequence number of its own.
 */
import type { KeyObject } from 'node:crypto';
import { PACKET_BYTES_MAX } from '../protocol/limits.js';
import type { Message } from '../protocol/message.js';
import { encodeMessage, wireType } from './codec.js';
import { sealFrame } from './frame.js';
import { FORMAT_VERSION } from './version.js';

export interface SealOptions {
  readonly group: string;
  readonly kid: string;
  readonly boot: string;
  /** TCP port of our object server. */
  readonly port: number;
  readonly key: KeyObject;
  /** Our certificate, base64url DER. */
  readonly certificate: string;
}

export class Sealer {
  private readonly options: SealOptions;
  private seq = 0;

  constructor(options: SealOptions) {
    this.options = options;
  }

  /**
   * @param address our address on the interface that the packet leaves by
   * @param introduce whether to carry our certificate, if it fits
   * @returns the datagram, or `undefined` if the message is too large for one
   */
  seal(message: Message, address: string, wallMs: number, introduce: boolean): Buffer | undefined {
    const { group, kid, boot, port, key, certificate } = this.options;
    this.seq += 1;
    const pairs: Array<readonly [string, string]> = [
      ['type', wireType(message)],
      ['version', FORMAT_VERSION],
      ...encodeMessage(message),
      ['group', group],
    ];
    if ('to' in message && message.to !== undefined) pairs.push(['to', message.to]);
    pairs.push(['kid', kid], ['boot', boot], ['seq', String(this.seq)]);
    pairs.push(['ts', String(wallMs)], ['addr', address], ['port', String(port)]);
    if (introduce || message.type === 'hello') {
      const bytes = sealFrame('peerage/packet/v1', [...pairs, ['cert', certificate]], key);
      if (bytes.length <= PACKET_BYTES_MAX) return bytes;
    }
    const bytes = sealFrame('peerage/packet/v1', pairs, key);
    return bytes.length <= PACKET_BYTES_MAX ? bytes : undefined;
  }
}
