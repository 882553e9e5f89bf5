/**
 * Renewing this node's certificate at two thirds of its life, and when another CA followed (PROTOCOL
 * §1.9), with a new key, over mutual TLS with the node that has the CA (§1.7); taken into use
 * without a restart.
 *
 * Invariants: the old identity stays in use until the new one was judged and is on disk; a failure
 * only means another try later, and is louder the less time is left.
 */
import { CodedError } from '@peerage/sdk';
import type { Random } from '../base/random.js';
import type { Clock } from '../base/time.js';
import type { Logger } from '../ports/log.js';
import type { JoinedAt } from '../state.js';
import { type Authority, certify, type Identity, identityOf, newKeys } from '../trust/authority.js';
import { spki } from '../trust/certificate.js';
import { channelOf, prove, transcript } from '../trust/enrolment.js';
import { checkNodeCertificate } from '../trust/policy.js';
import { Connection, refusalOf, textOf } from './connection.js';
import { CERTIFICATE_DAYS } from './desk.js';
import { readGrant } from './join.js';
import type { Ledger } from './ledger.js';

/** How often it is looked whether it is time. */
const LOOK_MS = 60 * 60_000;
/** A certificate is renewed after this share of its life; without success it is an alarm later. */
const RENEW_AT = 2 / 3;
const ALARM_AT = 0.9;
/**
 * After a change of the CA the others are told first, then the machine that has it gets its own new
 * certificate, then the others, spread so that they do not all come at once.
 */
const ROTATION_TOLD_MS = 5000;
const ROTATION_SPREAD_MS_MIN = 1000;
/** For each member: half of what the desk answers in all (`ATTEMPTS`). */
const ROTATION_EACH_MS = 100;
/** Who was away may not know the machine with the CA yet: it says hello every 10 s. Then rarer. */
const ROTATION_RETRY_MS = 12_000;
/** Members that are asked in one attempt, besides the machine where this node joined. */
const ASKED_MAX = 8;

export interface RenewalOptions {
  readonly identity: Identity;
  /** The CA of this very machine, if it is here and open. */
  readonly authority: () => Authority | undefined;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Where this node joined, if it joined by a token. */
  readonly joinedAt: () => Promise<JoinedAt | undefined>;
  /** Addresses of live members: one of them may have the CA. */
  readonly members: () => readonly JoinedAt[];
  /** Keeps the new identity and puts it into use. */
  readonly use: (identity: Identity) => Promise<void>;
}

/** The share of a certificate's life that has passed. */
export function lifePassed({ certificate }: Identity, wallMs: number): number {
  const from = Date.parse(certificate.validFrom);
  return (wallMs - from) / (Date.parse(certificate.validTo) - from);
}

export class Renewal {
  private readonly options: RenewalOptions;
  private timer: NodeJS.Timeout | undefined;
  private rotation: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopped = false;
  private retryMs = ROTATION_RETRY_MS;

  constructor(options: RenewalOptions) {
    this.options = options;
  }

  start(): void {
    this.timer = setInterval(() => void this.look(), LOOK_MS);
    this.timer.unref();
    void this.look();
  }

  /** Another CA follows the one of our certificate: it is time, but not for all at once. */
  rotated(): void {
    const { authority, members, random } = this.options;
    const spreadMaxMs = Math.max(ROTATION_SPREAD_MS_MIN, members().length * ROTATION_EACH_MS);
    const spreadMs = authority() === undefined ? random.fraction() * spreadMaxMs : 0;
    this.retryMs = ROTATION_RETRY_MS;
    this.lookAfter(ROTATION_TOLD_MS + spreadMs);
  }

  private lookAfter(waitMs: number): void {
    clearTimeout(this.rotation);
    this.rotation = setTimeout(() => void this.look(), waitMs);
    this.rotation.unref();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    clearTimeout(this.rotation);
    await this.running;
  }

  /** Renews if it is time; never rejects. */
  look(): Promise<void> {
    const { identity, clock } = this.options;
    const passed = lifePassed(identity, clock.wallMs());
    if (passed < RENEW_AT && !this.followed) return Promise.resolve();
    this.running ??= this.attempt(passed).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Whether another CA is in force than the one that issued our certificate. */
  private get followed(): boolean {
    const { anchors, ca } = this.options.identity;
    return anchors[0]?.raw.equals(ca.raw) === false;
  }

  private async attempt(passed: number): Promise<void> {
    const { identity, logger, use } = this.options;
    try {
      const renewed = await this.renew();
      await use(renewed);
      const until = renewed.certificate.validTo;
      logger.log('info', 'certificate-renewed', { node: identity.name, until });
    } catch (error) {
      const level = passed < ALARM_AT ? 'warn' : 'error';
      const until = identity.certificate.validTo;
      logger.log(level, 'certificate-not-renewed', { until, error });
      if (!this.followed || this.stopped) return;
      this.lookAfter(this.retryMs);
      this.retryMs = Math.min(2 * this.retryMs, LOOK_MS);
    }
  }

  private async renew(): Promise<Identity> {
    const { joinedAt, members } = this.options;
    const authority = this.options.authority();
    if (authority !== undefined) return this.renewHere(authority);
    const first = await joinedAt();
    const asked = [...(first === undefined ? [] : [first]), ...members().slice(0, ASKED_MAX)];
    let failure: unknown = new CodedError('E_ENROL_UNAVAILABLE', 'nobody with the CA was found');
    for (const at of asked) {
      try {
        return await this.renewAt(at);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** On the machine that has the CA. */
  private async renewHere(authority: Authority): Promise<Identity> {
    const { identity, ledger, clock } = this.options;
    const { privateKey, publicKey } = newKeys();
    const { name } = identity;
    const certificate = certify(authority, name, publicKey, CERTIFICATE_DAYS, clock.wallMs());
    await ledger.record(certificate, authority.certificate, clock.wallMs());
    return identityOf(privateKey, certificate, name, authority.certificate);
  }

  private async renewAt({ host, port }: JoinedAt): Promise<Identity> {
    const { identity, clock } = this.options;
    const key = String(identity.key.export({ type: 'pkcs8', format: 'pem' }));
    const cert = identity.certificate.toString();
    const connection = new Connection({ host, port, key, cert });
    const where = `${host}:${port}`;
    try {
      const opening = await connection.send('GET', '/j/ca');
      if (opening.status !== 200) throw refusalOf(opening, where);
      const server = opening.socket.getPeerCertificate().raw ?? Buffer.alloc(0);
      const verdict = checkNodeCertificate(server, identity.anchors, clock.wallMs());
      if (!verdict.ok) {
        throw new CodedError('E_ENROL_REFUSED', `${where} is not of our group: ${verdict.fault}`);
      }
      const shown = Buffer.from(textOf(opening, 'ca'), 'base64url');
      const ca = identity.anchors.find(({ raw }) => raw.equals(shown));
      if (ca === undefined) {
        throw new CodedError('E_ENROL_REFUSED', `${where} shows a CA that is not our group's`);
      }
      const { privateKey } = newKeys();
      const publicKey = spki(privateKey);
      const about = transcript(channelOf(opening.socket), ca, '');
      const answer = await connection.send('POST', '/j/renew', {
        key: publicKey.toString('base64url'),
        proof: prove('renew', about, publicKey, privateKey),
      });
      if (answer.status !== 200) throw refusalOf(answer, where);
      const granted = readGrant(answer, privateKey, ca, clock.wallMs());
      if (granted.identity.name === identity.name) return granted.identity;
      throw new CodedError('E_ENROL_REFUSED', `${where} issued another name`);
    } finally {
      connection.close();
    }
  }
}
