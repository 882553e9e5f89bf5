/**
 * The CA's books: which tokens are open, and what was issued. Both the command line and the running
 * node write them, so each change is made under a lock file, read anew and written whole.
 *
 *   STATE/ca/tokens.json   hashes of tokens with name, end, failures and state; never a token
 *   STATE/ca/issued.json   name, kid, end and CA of every certificate
 *
 * Invariants: a token is marked as used, on disk, before its certificate is made; a used, expired or
 * burnt token is remembered for a while, so that its refusal can say why.
 */

import type { X509Certificate } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CodedError, errorCode } from '@peerage/sdk';
import { isAlive } from '../state.js';
import { keyId } from '../trust/certificate.js';
import { caHash } from '../trust/enrolment.js';
import { commonName } from '../trust/policy.js';

/** Attempts with the right secret and wrong proofs after which a token is burnt. */
const FAILURES_MAX = 5;
/** Tokens and certificates remembered; beyond, no further ones until old ones lapse. */
const TOKENS_MAX = 10_000;
const ISSUED_MAX = 20_000;
/** So long a token that is no longer open is remembered, and an expired certificate listed. */
const MEMORY_MS = 7 * 24 * 60 * 60_000;
/** Somebody who holds the lock for this long is in trouble. */
const LOCK_WAIT_MS = 3000;
const LOCK_LOOK_MS = 20;

export interface TokenRecord {
  /** SHA-256 of the secret. */
  readonly hash: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly failures: number;
  readonly state: 'open' | 'used' | 'burnt';
}

export interface IssuedRecord {
  readonly name: string;
  readonly kid: string;
  readonly expiresAt: number;
  /** The hash by which its CA identifies itself in tokens; not noted by earlier versions. */
  readonly ca?: string;
}

export class Ledger {
  private readonly directory: string;
  private queue: Promise<unknown> = Promise.resolve();

  /** @param stateDirectory the state directory of the machine that has the CA */
  constructor(stateDirectory: string) {
    this.directory = join(stateDirectory, 'ca');
  }

  tokens(): Promise<TokenRecord[]> {
    return this.read<TokenRecord>('tokens.json');
  }

  issued(): Promise<IssuedRecord[]> {
    return this.read<IssuedRecord>('issued.json');
  }

  /** Adds an open token. @throws CodedError `E_CA_BUSY`, `E_LEDGER_FULL` */
  addToken(hash: string, name: string, expiresAt: number, nowMs: number): Promise<void> {
    return this.change(async () => {
      const kept = (await this.tokens()).filter((token) => nowMs - token.expiresAt < MEMORY_MS);
      if (kept.length >= TOKENS_MAX) throw full('tokens', TOKENS_MAX);
      const token: TokenRecord = { hash, name, expiresAt, failures: 0, state: 'open' };
      await this.write('tokens.json', [...kept, token]);
    });
  }

  /**
   * Uses a token up if `isSound` holds for its attempt, else counts a failure.
   * @returns the name that the token stands for
   * @throws CodedError `E_TOKEN_UNKNOWN`, `E_TOKEN_USED`, `E_TOKEN_EXPIRED`, `E_TOKEN_BURNT`, and
   * what `check` throws
   */
  redeem(hash: string, nowMs: number, check: () => void): Promise<string> {
    return this.change(async () => {
      const tokens = await this.tokens();
      const token = tokens.find((candidate) => candidate.hash === hash);
      if (token === undefined) throw refusal('E_TOKEN_UNKNOWN', 'the CA does not know this token');
      if (token.state === 'used') throw refusal('E_TOKEN_USED', 'this token was used already');
      if (token.state === 'burnt') {
        throw refusal('E_TOKEN_BURNT', `this token failed ${FAILURES_MAX} times`);
      }
      if (nowMs >= token.expiresAt) throw refusal('E_TOKEN_EXPIRED', 'this token has expired');
      const replace = (changed: TokenRecord) =>
        this.write(
          'tokens.json',
          tokens.map((candidate) => (candidate === token ? changed : candidate)),
        );
      try {
        check();
      } catch (error) {
        const failures = token.failures + 1;
        await replace({ ...token, failures, state: failures >= FAILURES_MAX ? 'burnt' : 'open' });
        throw error;
      }
      await replace({ ...token, state: 'used' });
      return token.name;
    });
  }

  /** Notes a certificate that a CA issued. @throws CodedError `E_CA_BUSY`, `E_LEDGER_FULL` */
  record(certificate: X509Certificate, issuer: X509Certificate, nowMs: number): Promise<void> {
    return this.change(async () => {
      const kept = (await this.issued()).filter(({ expiresAt }) => nowMs - expiresAt < MEMORY_MS);
      if (kept.length >= ISSUED_MAX) throw full('certificates', ISSUED_MAX);
      const name = commonName(certificate) ?? '';
      const kid = keyId(certificate.publicKey);
      const expiresAt = Date.parse(certificate.validTo);
      const ca = caHash(issuer);
      await this.write('issued.json', [...kept, { name, kid, expiresAt, ca }]);
    });
  }

  /** Runs one change at a time, in this process and among all. */
  change<T>(make: () => Promise<T>): Promise<T> {
    const next = this.queue.then(async () => {
      const release = await this.lock();
      try {
        return await make();
      } finally {
        await release();
      }
    });
    this.queue = next.catch(() => undefined);
    return next;
  }

  private async lock(): Promise<() => Promise<void>> {
    const path = join(this.directory, 'ledger.lock');
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    for (let waitedMs = 0; waitedMs < LOCK_WAIT_MS; waitedMs += LOCK_LOOK_MS) {
      try {
        const file = await open(path, 'wx', 0o600);
        await file.writeFile(String(process.pid));
        await file.close();
        return () => rm(path, { force: true });
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error;
        const holder = Number(await readFile(path, 'utf8').catch(() => ''));
        if (holder > 0 && holder !== process.pid && !isAlive(holder))
          await rm(path, { force: true });
      }
      await pause(LOCK_LOOK_MS);
    }
    throw new CodedError('E_CA_BUSY', `${path} is held by another command`, {
      action: 'try again; if no other command runs, remove that file',
    });
  }

  private async read<T>(file: string): Promise<T[]> {
    const path = join(this.directory, file);
    try {
      return JSON.parse(await readFile(path, 'utf8')) as T[];
    } catch (cause) {
      if (errorCode(cause) === 'ENOENT') return [];
      throw new CodedError('E_LEDGER_UNREADABLE', `${path} cannot be read`, {
        action: 'restore it from a backup, or remove it: open tokens are then void',
        cause,
      });
    }
  }

  private async write(file: string, records: readonly unknown[]): Promise<void> {
    const path = join(this.directory, file);
    await writeFile(`${path}.new`, JSON.stringify(records), { mode: 0o600, flush: true });
    await rename(`${path}.new`, path);
  }
}

function refusal(code: string, message: string): CodedError {
  return new CodedError(code, message, {
    action: 'make a new token with `peerage ca token --name NAME` on the machine that has the CA',
  });
}

function full(what: string, limit: number): CodedError {
  return new CodedError('E_LEDGER_FULL', `the CA remembers ${limit} ${what} already`, {
    action: 'wait until old ones lapse',
  });
}
