/** Joining with a token (§1.7): one line, once, and every refusal with its reason. */
import { equal, ok, rejects } from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join as path } from 'node:path';
import { join } from '@peerage/core/membership/join.js';
import { createAuthority, issueIdentity } from '@peerage/core/trust/authority.js';
import { parseToken, prove, tokenMac } from '@peerage/core/trust/enrolment.js';
import { signPolicy } from '@peerage/core/trust/group-policy.js';
import { checkNodeCertificate } from '@peerage/core/trust/policy.js';
import { ADDRESS, attempt, bodyOf, DAY_MS, prepared, Stage } from './stage.js';

describe('joining with a token', () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await new Stage().open();
  });

  afterEach(() => stage.close());

  it('gives the name of the token, a key of its own, 30 days, and the group policy', async () => {
    const policy = { group: 'office', version: 4, issued: 1, revoked: [{ name: 'x', since: 1 }] };
    stage.policy = signPolicy(policy, stage.authority).bytes;
    const { text } = await stage.token('pc-17');
    const joined = await join(ADDRESS, stage.port, parseToken(text), Date.now());
    const { identity } = joined;
    equal(identity.name, 'pc-17');
    equal(identity.group, 'office');
    const verdict = checkNodeCertificate(identity.certificate.raw, [identity.ca], Date.now());
    ok(verdict.ok && verdict.node.kid === identity.kid);
    equal(Math.round((verdict.node.notAfterMs - Date.now()) / DAY_MS), 30);
    equal(joined.policy?.policy.version, 4);
    const [issued] = await stage.ledger.issued();
    equal(`${issued?.name} ${issued?.kid}`, `pc-17 ${identity.kid}`);
  });

  it('works once: the second machine is told that the token was used', async () => {
    const token = await stage.token('pc-17');
    await join(ADDRESS, stage.port, token, Date.now());
    await rejects(join(ADDRESS, stage.port, token, Date.now()), { code: 'E_TOKEN_USED' });
    equal((await stage.ledger.issued()).length, 1);
  });

  it('works for one of many machines that use the same token at the same moment', async () => {
    const token = await stage.token('pc-17');
    const tries = Array.from({ length: 5 }, () => join(ADDRESS, stage.port, token, Date.now()));
    const outcomes = await Promise.allSettled(tries);
    equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    equal((await stage.ledger.issued()).length, 1);
  });

  it('is refused when the token has expired, is not known, or its name is revoked', async () => {
    const expired = await stage.token('pc-1', 1000);
    stage.clock.shiftMs += 2000;
    await rejects(join(ADDRESS, stage.port, expired, Date.now()), { code: 'E_TOKEN_EXPIRED' });
    const unknown = { ...expired, secret: Buffer.alloc(16) };
    await rejects(join(ADDRESS, stage.port, unknown, Date.now()), { code: 'E_TOKEN_UNKNOWN' });
    const revoked = await stage.token('pc-2');
    stage.keyring.revoke(new Set(['pc-2']));
    await rejects(join(ADDRESS, stage.port, revoked, Date.now()), { code: 'E_REVOKED' });
    equal((await stage.ledger.issued()).length, 0);
  });

  it('keeps hashes of tokens only', async () => {
    const { text, secret } = await stage.token('pc-17');
    const kept = readFileSync(path(stage.directory, 'ca', 'tokens.json'), 'utf8');
    ok(kept.includes('pc-17'));
    for (const part of [
      text.split('.')[2] ?? '',
      secret.toString('hex'),
      secret.toString('base64'),
    ])
      ok(!kept.includes(part));
  });

  it('is refused with the wrong proof of the token or of the key, and burns it at the fifth', async () => {
    const { secret } = await stage.token('pc-17');
    const other = bodyOf('x', Buffer.alloc(32), secret);
    for (const wrong of ['mac', 'proof', 'mac', 'proof', 'key'] as const) {
      const { connection, body } = await prepared(stage, secret);
      equal(await attempt(connection, { ...body, [wrong]: other[wrong] }), '403 E_ENROL_PROOF');
      connection.close();
      stage.rest();
    }
    const { connection, body } = await prepared(stage, secret);
    equal(await attempt(connection, body), '403 E_TOKEN_BURNT');
    connection.close();
    equal((await stage.ledger.issued()).length, 0);
  });

  it('is refused for a key that is no P-256 key', async () => {
    const keys = [
      generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
    ];
    const { secret } = await stage.token('pc-17');
    for (const { privateKey, publicKey } of keys) {
      const { connection, about, body } = await prepared(stage, secret);
      const key = publicKey.export({ type: 'spki', format: 'der' });
      const fields = { key: key.toString('base64url'), mac: tokenMac(secret, about, key) };
      const proof = prove('join', about, key, privateKey);
      equal(await attempt(connection, { ...body, ...fields, proof }), '403 E_ENROL_KEY');
      connection.close();
    }
  });

  it('is refused when a request is sent again, there or on another connection', async () => {
    const { secret } = await stage.token('pc-17');
    const first = await prepared(stage, secret);
    const second = await prepared(stage, secret);
    equal(await attempt(second.connection, first.body), '403 E_ENROL_REPLAYED');
    const stolen = { ...first.body, challenge: second.body['challenge'] };
    stage.rest();
    const third = await prepared(stage, secret);
    equal(
      await attempt(third.connection, { ...stolen, challenge: third.body['challenge'] }),
      '403 E_ENROL_PROOF',
    );
    equal(await attempt(first.connection, first.body), '200 ok');
    equal(await attempt(first.connection, first.body), '403 E_ENROL_REPLAYED');
    for (const { connection } of [first, second, third]) connection.close();
  });

  it('is refused for what is no request, or too large a one, and for too many', async () => {
    const { secret } = await stage.token('pc-17');
    const { connection } = await prepared(stage, secret);
    equal(await attempt(connection, { a: 'x'.repeat(5000) }), '403 E_ENROL_REQUEST');
    connection.close();
    const codes = new Set<number>();
    for (let i = 0; i < 12; i += 1) {
      const guest = stage.connect();
      codes.add((await guest.send('GET', '/j/ca')).status);
      guest.close();
    }
    ok(codes.has(429));
  });

  it('is all that a stranger gets besides the certificate', async () => {
    const guest = stage.connect();
    const paths = [
      '/',
      '/g/policy',
      '/j',
      '/j/',
      '/j/ca/',
      '/j/ca?x',
      '/j/token',
      '/o/x',
      '/status',
    ];
    for (const wanted of paths) equal((await guest.send('GET', wanted)).status, 404, wanted);
    equal((await guest.send('GET', `/c/${stage.hub.kid}`)).status, 200);
    guest.close();
    const renewer = stage.connect();
    const answer = await renewer.send('POST', '/j/renew', {});
    equal(`${answer.status} ${String(answer.fields['code'])}`, '403 E_RENEWAL_REFUSED');
    renewer.close();
  });

  it('lets nobody choose a name: what else stands in a request is not read', async () => {
    const { secret } = await stage.token('pc-17');
    const { connection, body } = await prepared(stage, secret);
    equal(await attempt(connection, { ...body, name: 'hub', group: 'other' }), '200 ok');
    connection.close();
    equal((await stage.ledger.issued())[0]?.name, 'pc-17');
  });

  it('a token that is not whole is told from one of another CA', async () => {
    const { text } = await stage.token('pc-17');
    for (const bad of ['', text.slice(1), text.slice(0, -1), `${text}A`, text.replace('.', ',')]) {
      let code = '';
      try {
        parseToken(bad);
      } catch (error) {
        code = String((error as { code?: unknown }).code);
      }
      equal(code, 'E_TOKEN_INVALID', bad);
    }
    const foreign = createAuthority('office', Date.now());
    const issued = issueIdentity(foreign, 'hub', 30, Date.now());
    const other = parseToken(`PG1.${issued.kid}.${text.split('.')[2]}`);
    await rejects(join(ADDRESS, stage.port, other, Date.now()), { code: 'E_TOKEN_OTHER_CA' });
  });
});
