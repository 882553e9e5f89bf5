/**
 * The CA's side of joining and renewing, on the running node that has the CA (PROTOCOL §1.7): the
 * routes `/j/ca`, `/j/enrol` and `/j/renew` of the object server.
 *
 * Invariants: nothing but these three is ever done for a stranger; bodies and rates are bounded;
 * the name of a certificate comes from the token, or from the certificate that is renewed, never
 * from the request; the CA first proves on this very connection that it has the CA's key.
 */
import { randomBytes, type X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { CodedError, describeError, errorCode } from '@peerage/sdk';
import { Counters } from '../base/bounded.js';
import { RateLimit } from '../base/rate.js';
import type { Clock } from '../base/time.js';
import type { Logger } from '../ports/log.js';
import type { JoinDesk } from '../ports/ports.js';
import { type Authority, certify } from '../trust/authority.js';
import { spki } from '../trust/certificate.js';
import {
  channelOf,
  isProof,
  isTokenMac,
  prove,
  readP256,
  secretHash,
  transcript,
} from '../trust/enrolment.js';
import { checkRenewable } from '../trust/policy.js';
import type { Keyring } from '../wire/open.js';
import type { Ledger } from './ledger.js';

/** How long a certificate of the desk is good. */
export const CERTIFICATE_DAYS = 30;
/** Our requests are below 700 bytes. */
const BODY_BYTES_MAX = 4096;
/** Attempts a second in all and at once: a room of machines joins in a minute. */
const ATTEMPTS = { perSecond: 20, burst: 40, sourcesMax: 1 };
/** Attempts a second of one address. */
const ATTEMPTS_OF_ONE = { perSecond: 2, burst: 10, sourcesMax: 1024 };

export interface DeskOptions {
  /** The CA in force; another one when it was changed. */
  readonly authority: () => Authority;
  /** The CAs whose certificates may be renewed. */
  readonly anchors: () => readonly X509Certificate[];
  readonly ledger: Ledger;
  readonly keyring: Keyring;
  /** The newest group policy's bytes, if there is one. */
  readonly policy: () => Buffer | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Fields = Readonly<Record<string, string>>;

export class EnrolmentDesk implements JoinDesk {
  readonly counters = new Counters();
  private readonly options: DeskOptions;
  private readonly inAll = new RateLimit(ATTEMPTS);
  private readonly bySource = new RateLimit(ATTEMPTS_OF_ONE);
  /** The challenge that was given on a connection and not used yet. */
  private readonly challenges = new WeakMap<TLSSocket, string>();

  constructor(options: DeskOptions) {
    this.options = options;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method} ${request.url}`;
    try {
      this.admit(request.socket.remoteAddress ?? '');
      const socket = request.socket as TLSSocket;
      if (route === 'GET /j/ca') return this.send(response, 200, this.introduce(socket));
      if (route !== 'POST /j/enrol' && route !== 'POST /j/renew') return this.send(response, 404);
      const fields = await readFields(request);
      const enrol = route === 'POST /j/enrol';
      const certificate = enrol
        ? await this.enrol(socket, fields)
        : await this.renew(socket, fields);
      const policy = this.options.policy()?.toString('base64url') ?? '';
      this.counters.add(enrol ? 'enrolled' : 'renewed');
      this.send(response, 200, { certificate: certificate.raw.toString('base64url'), policy });
    } catch (error) {
      const code = errorCode(error);
      this.counters.add(`refused-${code}`);
      const { remoteAddress: address } = request.socket;
      this.options.logger.log('warn', 'enrolment-refused', { address, error });
      const coded = error instanceof CodedError;
      const fault = coded ? { code, error: describeError(error) } : { code: 'E_INTERNAL' };
      this.send(response, code === 'E_ENROL_BUSY' ? 429 : coded ? 403 : 500, fault);
    }
  }

  /** Bounds what strangers can make us do. @throws CodedError `E_ENROL_BUSY` */
  private admit(address: string): void {
    const now = this.options.clock.nowMs();
    if (this.bySource.take(address, now) && this.inAll.take('', now)) return;
    throw new CodedError('E_ENROL_BUSY', 'too many attempts to join', {
      action: 'try again in a few seconds',
    });
  }

  private introduce(socket: TLSSocket): object {
    const { certificate, key } = this.options.authority();
    const challenge = randomBytes(16).toString('base64url');
    this.challenges.set(socket, challenge);
    const about = transcript(channelOf(socket), certificate, challenge);
    const proof = prove('authority', about, Buffer.alloc(0), key);
    return { ca: certificate.raw.toString('base64url'), challenge, proof };
  }

  private async enrol(socket: TLSSocket, fields: Fields): Promise<X509Certificate> {
    const { ledger, clock, keyring } = this.options;
    const authority = this.options.authority();
    const challenge = this.challenges.get(socket);
    this.challenges.delete(socket);
    if (challenge === undefined || challenge !== fields['challenge']) {
      throw new CodedError('E_ENROL_REPLAYED', 'the request answers no challenge of ours', {
        action: 'run `peerage join` again',
      });
    }
    const about = transcript(channelOf(socket), authority.certificate, challenge);
    const secret = Buffer.from(fields['secret'] ?? '', 'base64url');
    const publicKey = Buffer.from(fields['key'] ?? '', 'base64url');
    const name = await ledger.redeem(secretHash(secret), clock.wallMs(), () => {
      if (!isTokenMac(secret, about, publicKey, fields['mac'] ?? '')) {
        throw proofFault('the token does not vouch for this key on this connection');
      }
      this.checkKey('join', about, publicKey, fields['proof'] ?? '');
    });
    if (keyring.isRevoked(name)) throw revoked(name);
    return this.issue(authority, name, publicKey);
  }

  /** Certifies a member's new key under its old name. */
  private async renew(socket: TLSSocket, fields: Fields): Promise<X509Certificate> {
    const { anchors, clock, keyring } = this.options;
    const authority = this.options.authority();
    const { raw } = socket.getPeerCertificate();
    const nothing = Buffer.alloc(0);
    const verdict = checkRenewable(raw ?? nothing, anchors(), clock.wallMs());
    if (!verdict.ok) {
      throw new CodedError('E_RENEWAL_REFUSED', `the certificate shown is ${verdict.fault}`, {
        expected: 'a certificate of this group that expired at most 7 days ago',
        action: 'join again with a new token',
      });
    }
    if (keyring.isRevoked(verdict.node.name)) throw revoked(verdict.node.name);
    const publicKey = Buffer.from(fields['key'] ?? '', 'base64url');
    const about = transcript(channelOf(socket), authority.certificate, '');
    this.checkKey('renew', about, publicKey, fields['proof'] ?? '');
    return this.issue(authority, verdict.node.name, publicKey);
  }

  /** @throws CodedError `E_ENROL_KEY`, `E_ENROL_PROOF` */
  private checkKey(purpose: 'join' | 'renew', about: Buffer, publicKey: Buffer, proof: string) {
    const key = readP256(publicKey);
    if (key === undefined) {
      throw new CodedError('E_ENROL_KEY', 'the key to be certified is no P-256 key', {
        expected: 'SubjectPublicKeyInfo of a P-256 key, DER',
      });
    }
    if (!isProof(purpose, about, publicKey, key, proof)) {
      throw proofFault('the request does not prove to have the private key');
    }
  }

  /** By the CA that all proofs were about: it may change while a body is on its way. */
  private async issue(
    authority: Authority,
    name: string,
    publicKey: Buffer,
  ): Promise<X509Certificate> {
    const { ledger, clock, logger } = this.options;
    const key = readP256(publicKey);
    if (key === undefined || !spki(key).equals(publicKey)) throw proofFault('no key');
    const certificate = certify(authority, name, key, CERTIFICATE_DAYS, clock.wallMs());
    await ledger.record(certificate, authority.certificate, clock.wallMs());
    logger.log('info', 'certificate-issued', { node: name, until: certificate.validTo });
    return certificate;
  }

  private send(response: ServerResponse, status: number, value: object = {}): void {
    const text = JSON.stringify(value);
    response.statusCode = status;
    response.setHeader('content-type', 'application/json');
    response.setHeader('content-length', Buffer.byteLength(text));
    if (status === 429) response.setHeader('retry-after', '5');
    if (status !== 200) response.setHeader('connection', 'close');
    response.end(text);
  }
}

function proofFault(message: string): CodedError {
  return new CodedError('E_ENROL_PROOF', message, { action: 'run `peerage join` again' });
}

function revoked(name: string): CodedError {
  return new CodedError('E_REVOKED', `${name} is revoked in this group`, {
    action: 'join under another name, with a new token',
  });
}

/** The few texts of a small JSON body. @throws CodedError `E_ENROL_REQUEST` */
async function readFields(request: IncomingMessage): Promise<Fields> {
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (!(length <= BODY_BYTES_MAX))
    throw malformed(`it says no length up to ${BODY_BYTES_MAX} bytes`);
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw malformed('it is not JSON', cause);
  }
  if (typeof value !== 'object' || value === null) throw malformed('it is no object');
  const texts = Object.entries(value).filter(([, text]) => typeof text === 'string');
  return Object.fromEntries(texts) as Fields;
}

function malformed(why: string, cause?: unknown): CodedError {
  return new CodedError('E_ENROL_REQUEST', `the request cannot be used: ${why}`, {
    expected: 'what `peerage join` of this version sends',
    cause,
  });
}
