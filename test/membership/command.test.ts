/** The CA's commands by files (§1.7): the passphrase, the list, what is refused; no node runs. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '@peerage/core/cli/run.js';

describe('the commands of the CA', () => {
  let state: string;
  let secret: string;

  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'peerage-ca-'));
    secret = join(state, 'passphrase');
    writeFileSync(secret, 'correct horse\n');
  });

  afterEach(() => rmSync(state, { recursive: true }));

  /** Runs a command in this process; what it wrote. */
  async function peerage(...args: string[]): Promise<{ readonly code: string; out: string }> {
    const streams = [process.stdout, process.stderr] as const;
    const written = streams.map(() => '');
    const writes = streams.map(({ write }) => write);
    for (const [index, stream] of streams.entries()) {
      stream.write = (text: string | Uint8Array) => {
        written[index] += String(text);
        return true;
      };
    }
    try {
      await run([...args, '--state', state, '--json']);
    } finally {
      for (const [index, stream] of streams.entries()) {
        const write = writes[index];
        if (write !== undefined) stream.write = write;
      }
    }
    const [out = '', said = ''] = written;
    return { code: said === '' ? 'ok' : (JSON.parse(said) as { code: string }).code, out };
  }

  it('encrypt the key when there is a passphrase, and then need it to sign, not to make tokens', async () => {
    equal((await peerage('ca', 'init', '--name', 'hub', '--passphrase-file', secret)).code, 'ok');
    const pem = readFileSync(join(state, 'ca', 'ca.pem'), 'utf8');
    ok(pem.includes('BEGIN ENCRYPTED PRIVATE KEY') && !pem.includes('BEGIN PRIVATE KEY'));
    const issue = ['ca', 'issue', 'pc-1', '--out', join(state, 'pc-1.pem')];
    equal((await peerage(...issue)).code, 'E_CA_LOCKED');
    const wrong = join(state, 'wrong');
    writeFileSync(wrong, 'incorrect horse\n');
    equal((await peerage(...issue, '--passphrase-file', wrong)).code, 'E_CA_LOCKED');
    equal((await peerage(...issue, '--passphrase-file', join(state, 'none'))).code, 'E_CA_LOCKED');
    equal((await peerage(...issue, '--passphrase-file', secret)).code, 'ok');
    equal((await peerage('ca', 'token', '--name', 'pc-2')).code, 'ok');
    equal((await peerage('ca', 'revoke', 'pc-1')).code, 'E_CA_LOCKED');
    equal((await peerage('ca', 'revoke', 'pc-1', '--passphrase-file', secret)).code, 'ok');
  });

  it('list certificates and open tokens, revoke, and never give a revoked name again', async () => {
    await peerage('ca', 'init', '--name', 'hub');
    const { token } = JSON.parse((await peerage('ca', 'token', '--name', 'pc-1')).out) as {
      token: string;
    };
    ok(/^PG1\.[\w-]{22}\.[\w-]{22}$/.test(token));
    await peerage('ca', 'issue', 'pc-2', '--out', join(state, 'pc-2.pem'));
    const revoked = JSON.parse((await peerage('ca', 'revoke', 'pc-2')).out) as { version: number };
    equal(revoked.version, 1);
    const again = JSON.parse((await peerage('ca', 'revoke', 'pc-2')).out) as { version: number };
    equal(again.version, 1);
    const listed = JSON.parse((await peerage('ca', 'list')).out) as {
      certificates: Array<{ name: string; state: string }>;
      tokens: Array<{ name: string; state: string }>;
    };
    deepEqual(
      listed.certificates.map(({ name, state }) => `${name} ${state}`),
      ['hub good', 'pc-2 revoked'],
    );
    deepEqual(
      listed.tokens.map(({ name, state }) => `${name} ${state}`),
      ['pc-1 open'],
    );
    equal((await peerage('ca', 'token', '--name', 'pc-2')).code, 'E_REVOKED');
    equal((await peerage('ca', 'issue', 'pc-2', '--out', join(state, 'x'))).code, 'E_REVOKED');
    equal((await peerage('ca', 'revoke', 'hub')).code, 'E_REVOKE_OWN');
    equal((await peerage('ca', 'revoke', 'pc-22')).code, 'E_REVOKE_UNKNOWN');
    equal((await peerage('ca', 'revoke', 'pc-22', '--force')).code, 'ok');
  });

  it('keep the books and the key to their owner', async () => {
    await peerage('ca', 'init', '--name', 'hub');
    await peerage('ca', 'token', '--name', 'pc-1');
    equal(statSync(join(state, 'ca')).mode & 0o777, 0o700);
    for (const file of ['ca.pem', 'tokens.json', 'issued.json'])
      equal(statSync(join(state, 'ca', file)).mode & 0o777, 0o600, file);
  });

  it('refuse what cannot be meant', async () => {
    equal((await peerage('ca', 'token', '--name', 'pc-1')).code, 'E_CA_MISSING');
    await peerage('ca', 'init', '--name', 'hub');
    equal((await peerage('ca', 'token')).code, 'E_USAGE');
    equal((await peerage('ca', 'token', '--name', 'a b')).code, 'E_NAME_INVALID');
    for (const ttl of ['0s', '1', '31d', '-1h', 'x'])
      equal((await peerage('ca', 'token', '--name', 'pc-1', `--ttl=${ttl}`)).code, 'E_USAGE', ttl);
    equal((await peerage('join', 'localhost', 'PG1.x.y')).code, 'E_TOKEN_INVALID');
    const token = `PG1.${'A'.repeat(22)}.${'A'.repeat(22)}`;
    equal((await peerage('join', 'localhost', token, '--name', 'x')).code, 'E_USAGE');
    equal((await peerage('join', 'localhost', token)).code, 'E_MEMBER_ALREADY');
    equal((await peerage('ca', 'nonsense')).code, 'E_USAGE');
  });
});
