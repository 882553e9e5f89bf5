/**
 * Fetches the certificate of a sender that we do not know (PROTOCOL §2.5): only from the packet's
 * own source address on our group's object port, small, rarely, and only believed if it hashes to
 * the kid and ends in a CA that is believed, or that such a one says follows it (§1.9). The one
 * thing that an unverified packet can make us do.
 */
import { request } from 'node:https';
import { BoundedMap } from '../base/bounded.js';
import type { Clock, InstantMs } from '../base/time.js';
import { SUCCESSION_HEADER } from '../trust/succession.js';
import type { Keyring } from '../wire/open.js';

/** At most this many fetches a second in all, one in flight per address. */
const FETCHES_PER_SECOND = 2;
const CERTIFICATE_BYTES_MAX = 4096;
const TIMEOUT_MS = 2000;
/** An address that failed is left alone this long. */
const FAILURE_MEMORY_MS = 60_000;
const ADDRESSES_MAX = 1024;

export class Introducer {
  private readonly keyring: Keyring;
  private readonly succeed: (succession: Buffer) => void;
  private readonly clock: Clock;
  private readonly objectPort: number;
  private readonly quietUntil = new BoundedMap<string, InstantMs>(ADDRESSES_MAX);
  private lastAt: InstantMs = Number.NEGATIVE_INFINITY;

  /** @param succeed takes what comes beside a certificate of a CA that followed ours; it judges */
  constructor(
    keyring: Keyring,
    clock: Clock,
    objectPort: number,
    succeed: (succession: Buffer) => void,
  ) {
    this.keyring = keyring;
    this.succeed = succeed;
    this.clock = clock;
    this.objectPort = objectPort;
  }

  /** A packet from `address` was signed by an unknown `kid`. */
  unknown(kid: string, address: string): void {
    const now = this.clock.nowMs();
    if (now - this.lastAt < 1000 / FETCHES_PER_SECOND) return;
    if ((this.quietUntil.get(address) ?? Number.NEGATIVE_INFINITY) > now) return;
    this.lastAt = now;
    this.quietUntil.set(address, now + FAILURE_MEMORY_MS);
    this.fetch(kid, address, (certificate, succession) => {
      // Whatever kid was asked for: a forged packet must not keep us from hearing it.
      if (succession !== undefined) this.succeed(succession);
      if (certificate === undefined) return;
      const learnt = this.keyring.learn(kid, certificate.toString('base64url'));
      if (learnt !== undefined) this.quietUntil.delete(address);
    });
  }

  private fetch(
    kid: string,
    host: string,
    done: (certificate: Buffer | undefined, succession: Buffer | undefined) => void,
  ): void {
    const outgoing = request(
      {
        host,
        port: this.objectPort,
        path: `/c/${kid}`,
        rejectUnauthorized: false,
        servername: '',
        agent: false,
        timeout: TIMEOUT_MS,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > CERTIFICATE_BYTES_MAX) outgoing.destroy();
          else chunks.push(chunk);
        });
        response.on('error', () => undefined);
        response.on('end', () => {
          const beside = response.headers[SUCCESSION_HEADER];
          const succession =
            typeof beside === 'string' ? Buffer.from(beside, 'base64url') : undefined;
          done(response.statusCode === 200 ? Buffer.concat(chunks) : undefined, succession);
        });
      },
    );
    outgoing.on('error', () => undefined);
    outgoing.end();
  }
}
