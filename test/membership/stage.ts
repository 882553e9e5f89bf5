/**
 * The stage of the tests around joining: a real CA with its books in a directory of its own, a real
 * object server with the CA's desk on loopback, and a clock that stands still unless it is moved.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@peerage/core/membership/connection.js';
import { CurrentIdentity } from '@peerage/core/membership/current-identity.js';
import { EnrolmentDesk } from '@peerage/core/membership/desk.js';
import { Ledger } from '@peerage/core/membership/ledger.js';
import type { Logger } from '@peerage/core/ports/log.js';
import { ObjectServer } from '@peerage/core/transfer/serve.js';
import { ObjectStore } from '@peerage/core/transfer/store.js';
import {
  type Authority,
  createAuthority,
  type Identity,
  issueIdentity,
  newKeys,
} from '@peerage/core/trust/authority.js';
import { spki } from '@peerage/core/trust/certificate.js';
import {
  channelOf,
  newSecret,
  prove,
  secretHash,
  type Token,
  tokenMac,
  tokenText,
  transcript,
} from '@peerage/core/trust/enrolment.js';
import { MemberKeyring } from '@peerage/core/trust/keyring.js';
import { freePort } from '../lan/ports.js';

export const ADDRESS = '127.0.0.1';
export const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

export const SILENT: Logger = { log: () => undefined };

/** Time that a test moves by hand; both clocks go together. */
export class MovableClock {
  shiftMs = 0;

  nowMs(): number {
    return performance.now() + this.shiftMs;
  }

  wallMs(): number {
    return Date.now() + this.shiftMs;
  }
}

export class Stage {
  readonly directory = mkdtempSync(join(tmpdir(), 'peerage-join-'));
  authority: Authority = createAuthority('office', Date.now());
  readonly hub = new CurrentIdentity(issueIdentity(this.authority, 'hub', 30, Date.now()));
  readonly clock = new MovableClock();
  readonly ledger = new Ledger(this.directory);
  readonly keyring = new MemberKeyring(this.hub, () => this.clock.wallMs());
  readonly desk = new EnrolmentDesk({
    authority: () => this.authority,
    anchors: () => this.hub.anchors,
    ledger: this.ledger,
    keyring: this.keyring,
    policy: () => this.policy,
    clock: this.clock,
    logger: SILENT,
  });
  policy: Buffer | undefined;
  port = 0;
  private server: ObjectServer | undefined;
  private store: ObjectStore | undefined;

  get objects(): ObjectServer {
    if (this.server === undefined) throw new Error('the stage is not open');
    return this.server;
  }

  async open(): Promise<this> {
    const options = { quotaBytes: MIB, logger: SILENT };
    this.store = await ObjectStore.open({ ...options, directory: join(this.directory, 'store') });
    const nothing = () => undefined;
    this.server = new ObjectServer({
      identity: this.hub,
      keyring: this.keyring,
      store: this.store,
      relays: { flight: nothing, finished: nothing, object: nothing },
      logger: SILENT,
      policy: () => this.policy,
      desk: this.desk,
    });
    this.port = await freePort(ADDRESS);
    await this.server.listen(ADDRESS, this.port);
    return this;
  }

  async close(): Promise<void> {
    await this.server?.close();
    await this.store?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** A token of this CA for `name`. */
  async token(name: string, ttlMs = 3_600_000): Promise<Token & { readonly text: string }> {
    const secret = newSecret();
    const now = this.clock.wallMs();
    await this.ledger.addToken(secretHash(secret), name, now + ttlMs, now);
    const text = tokenText(this.authority.certificate, secret);
    return { caHash: text.split('.')[1] ?? '', secret, text };
  }

  member(name: string, days = 30): Identity {
    return issueIdentity(this.authority, name, days, Date.now());
  }

  connect(identity?: Identity): Connection {
    return new Connection({ host: ADDRESS, port: this.port, ...credentials(identity) });
  }

  /** Gives the hub another certificate, as a renewal does. */
  renewHub(days: number): void {
    this.hub.replace(this.member('hub', days));
    this.objects.renewed();
  }

  /** Pretends that so much time passed that no rate is used up any more. */
  rest(): void {
    this.clock.shiftMs += 60_000;
  }
}

export function credentials(identity: Identity | undefined): { cert?: string; key?: string } {
  if (identity === undefined) return {};
  const key = String(identity.key.export({ type: 'pkcs8', format: 'pem' }));
  return { key, cert: identity.certificate.toString() };
}

export type Body = Record<string, string>;

/** A sound request to join, and the connection that it is for. */
export async function prepared(
  stage: Stage,
  secret: Buffer,
): Promise<{ readonly connection: Connection; readonly about: Buffer; readonly body: Body }> {
  const connection = stage.connect();
  const opening = await connection.send('GET', '/j/ca');
  const challenge = String(opening.fields['challenge']);
  const about = transcript(channelOf(opening.socket), stage.authority.certificate, challenge);
  return { connection, about, body: bodyOf(challenge, about, secret) };
}

/** What a joiner says, with a new P-256 key. */
export function bodyOf(challenge: string, about: Buffer, secret: Buffer): Body {
  const { privateKey } = newKeys();
  const key = spki(privateKey);
  return {
    challenge,
    key: key.toString('base64url'),
    proof: prove('join', about, key, privateKey),
    secret: secret.toString('base64url'),
    mac: tokenMac(secret, about, key),
  };
}

/** Sends a request to join; its status and code. */
export async function attempt(connection: Connection, body: object): Promise<string> {
  const { status, fields } = await connection.send('POST', '/j/enrol', body);
  return `${status} ${String(fields['code'] ?? 'ok')}`;
}
