/** Which certificates are a member's (§1.1): every fault, shown on a certificate really built. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { SeededRandom } from '@peerage/core/base/random.js';
import { createAuthority, issueIdentity } from '@peerage/core/trust/authority.js';
import { keyId } from '@peerage/core/trust/certificate.js';
import { MemberKeyring } from '@peerage/core/trust/keyring.js';
import {
  type CertificateFault,
  checkNodeCertificate,
  commonName,
} from '@peerage/core/trust/policy.js';
import { type CertificatePlan, makeCertificate, type NamePart, OIDS, utcTime } from './der.js';

const WALL_MS = 1_795_376_370_000;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

const authority = createAuthority('office', WALL_MS);
const foreign = createAuthority('elsewhere', WALL_MS);
/** Another CA that says it is ours. */
const twin = createAuthority('office', WALL_MS);
const member = issueIdentity(authority, 'pc-1', 30, WALL_MS);
const nodeKeys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

const named = (name: string): NamePart[] => [[OIDS.commonName, name]];
const GOOD: CertificatePlan = {
  subject: named('pc-7'),
  issuer: named('office'),
  publicKey: nodeKeys.publicKey,
  signer: authority.key,
  notBefore: utcTime(WALL_MS - DAY_MS),
  notAfter: utcTime(WALL_MS + DAY_MS),
  ca: false,
  usages: [OIDS.serverAuth, OIDS.clientAuth],
};
const plan = (changes: Partial<CertificatePlan>): Buffer =>
  makeCertificate({ ...GOOD, ...changes });
const without = (part: 'ca' | 'usages'): Buffer => {
  const { [part]: _left, ...rest } = GOOD;
  return makeCertificate(rest);
};

function judge(der: Buffer, wallMs = WALL_MS): CertificateFault | 'ok' {
  const verdict = checkNodeCertificate(der, [authority.certificate], wallMs);
  return verdict.ok ? 'ok' : verdict.fault;
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
const koblitz = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const edwards = generateKeyPairSync('ed25519');
const good = makeCertificate(GOOD);
const sha256Oid = Buffer.from('06082a8648ce3d040302', 'hex');

/** All but the end of the CA itself, which is a matter of the time, not of the certificate. */
type FaultOfItsOwn = Exclude<CertificateFault, 'issuer-expired'>;
const FAULTS: Record<FaultOfItsOwn, ReadonlyArray<readonly [why: string, der: Buffer]>> = {
  malformed: [
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.from([0x30])],
    ['zeros', Buffer.alloc(500)],
    ['an endless length', Buffer.from('3084ffffffff', 'hex')],
    ['cut by one byte', good.subarray(0, -1)],
    ['cut in half', good.subarray(0, good.length / 2)],
    ['one byte too many', Buffer.concat([good, Buffer.from([0])])],
    ['two certificates', Buffer.concat([good, good])],
    ['PEM instead of DER', Buffer.from(new X509Certificate(good).toString())],
    ['nested a thousand times', Buffer.from('3080'.repeat(1000), 'hex')],
  ],
  'too-large': [
    ['a good one with a long extension', plan({ filler: Buffer.alloc(4000) })],
    ['64 KiB of zeros', Buffer.alloc(65_536)],
  ],
  'wrong-issuer': [
    ['of a foreign CA', plan({ issuer: named('elsewhere'), signer: foreign.key })],
    [
      'of a foreign CA, by our own builder',
      issueIdentity(foreign, 'a', 1, WALL_MS).certificate.raw,
    ],
    [
      'of a CA of the same name and another key id',
      issueIdentity(twin, 'a', 1, WALL_MS).certificate.raw,
    ],
    ['a leaf signed by a leaf', plan({ issuer: named('pc-1'), signer: member.key })],
    ['signed by itself', plan({ issuer: named('pc-7'), signer: nodeKeys.privateKey })],
    [
      'the issuer has one name more',
      plan({ issuer: [...named('office'), [OIDS.organisation, 'x']] }),
    ],
  ],
  'bad-signature': [
    ['of a CA of the same name', plan({ signer: twin.key })],
    ['a leaf signed by a leaf that calls itself the CA', plan({ signer: member.key })],
    ['the signed part names another algorithm', plan({ claimedHash: 'sha1' })],
    ['one bit of the signature changed', flipped(good, good.length - 5)],
    ['one bit of the name changed', flipped(good, good.indexOf('pc-7') + 3)],
  ],
  'not-yet-valid': [
    ['begins in six minutes', plan({ notBefore: utcTime(WALL_MS + 6 * MINUTE_MS) })],
    ['begins in ten years', plan({ notBefore: utcTime(WALL_MS + 3650 * DAY_MS) })],
    ['begins at a time that is none', plan({ notBefore: '261301000000Z' })],
  ],
  expired: [
    ['ended a second ago', plan({ notAfter: utcTime(WALL_MS - 1000) })],
    ['ended in the last century', plan({ notBefore: '980101000000Z', notAfter: '990101000000Z' })],
    ['ends at a time that is none', plan({ notAfter: '269932000000Z' })],
    ['ends before it begins', plan({ notAfter: utcTime(WALL_MS - 2 * DAY_MS) })],
  ],
  'is-a-ca': [
    ['the CA itself', authority.certificate.raw],
    ['a CA below the CA', plan({ ca: true })],
  ],
  'wrong-usage': [
    ['no usage at all', without('usages')],
    ['servers only', plan({ usages: [OIDS.serverAuth] })],
    ['clients only', plan({ usages: [OIDS.clientAuth] })],
    ['signing code', plan({ usages: [OIDS.codeSigning] })],
    ['anything', plan({ usages: [OIDS.anyUsage] })],
  ],
  'wrong-key-type': [
    ['an RSA key', plan({ publicKey: rsa.publicKey })],
    ['a P-384 key', plan({ publicKey: p384.publicKey })],
    ['a secp256k1 key', plan({ publicKey: koblitz.publicKey })],
    ['an Ed25519 key', plan({ publicKey: edwards.publicKey })],
  ],
  'weak-algorithm': [
    ['SHA-1', plan({ hash: 'sha1' })],
    ['SHA-384: not weak, but not ours', plan({ hash: 'sha384' })],
    [
      'SHA-1 with the name of SHA-256 elsewhere in it, twice',
      plan({ hash: 'sha1', filler: Buffer.concat([sha256Oid, sha256Oid]) }),
    ],
  ],
  'bad-name': [
    ['no name', plan({ subject: [] })],
    ['an empty name', plan({ subject: named('') })],
    ['a name of 64 characters', plan({ subject: named('a'.repeat(64)) })],
    ['a name with a space', plan({ subject: named('pc 7') })],
    ['a name with a slash', plan({ subject: named('../pc') })],
    ['a name with a line break', plan({ subject: named('pc-7\nCN=pc-1') })],
    ['a name with a NUL', plan({ subject: named('pc-1\0x') })],
    ['a name with a letter like another', plan({ subject: named('pс-1') })],
    ['a name that begins with a dot', plan({ subject: named('.pc') })],
    ['two names', plan({ subject: [...named('pc-1'), ...named('pc-7')] })],
    ['a name and an organisation', plan({ subject: [...named('pc-1'), [OIDS.organisation, 'x']] })],
    ['an organisation only', plan({ subject: [[OIDS.organisation, 'pc-1']] })],
  ],
};

function flipped(der: Buffer, at: number): Buffer {
  const changed = Buffer.from(der);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

describe('the end of the CA', () => {
  it('is the end of all that it issued, also of what says that it is good for longer', () => {
    const endMs = Date.parse(authority.certificate.validTo);
    const long = plan({ notAfter: utcTime(endMs + 30 * DAY_MS) });
    equal(judge(long, endMs), 'ok');
    equal(judge(long, endMs + 1000), 'issuer-expired');
  });
});

describe('the certificate policy', () => {
  it('takes what our CA issues, by either builder', () => {
    equal(judge(member.certificate.raw), 'ok');
    equal(judge(good), 'ok');
    const verdict = checkNodeCertificate(good, [authority.certificate], WALL_MS);
    ok(verdict.ok);
    equal(verdict.node.name, 'pc-7');
    equal(verdict.node.kid, keyId(nodeKeys.publicKey));
    equal(verdict.node.notAfterMs, WALL_MS + DAY_MS);
  });

  it('takes a name in any string type, and no basicConstraints for a leaf', () => {
    for (const tag of [0x0c, 0x13, 0x16]) {
      equal(judge(plan({ subject: [[OIDS.commonName, 'pc-7', tag]] })), 'ok');
    }
    equal(judge(without('ca')), 'ok');
  });

  for (const [fault, cases] of Object.entries(FAULTS)) {
    for (const [why, der] of cases) it(`${fault}: ${why}`, () => equal(judge(der), fault));
  }

  it('is valid from five minutes before its first second to its last', () => {
    const first = WALL_MS - DAY_MS;
    equal(judge(good, first - 5 * MINUTE_MS), 'ok');
    equal(judge(good, first - 5 * MINUTE_MS - 1), 'not-yet-valid');
    equal(judge(good, WALL_MS + DAY_MS), 'ok');
    equal(judge(good, WALL_MS + DAY_MS + 1), 'expired');
  });

  it('no change of a good certificate is taken, and none throws', () => {
    const random = new SeededRandom(12);
    for (let at = 0; at < good.length; at += 1) {
      for (const value of [0, 0xff, (good[at] ?? 0) ^ 1, random.uint32() & 0xff]) {
        if (value === good[at]) continue;
        const changed = Buffer.from(good);
        changed[at] = value;
        ok(judge(changed) !== 'ok', `byte ${at} = ${value}`);
      }
    }
  });

  it('random bytes never throw', () => {
    const random = new SeededRandom(13);
    for (let round = 0; round < 2000; round += 1) {
      const bytes = Buffer.from(Array.from({ length: 300 }, () => random.uint32() & 0xff));
      bytes.set([0x30, 0x82, 0x01, 0x28]);
      equal(judge(bytes), 'malformed');
    }
  });
});

describe('the common name', () => {
  it('is the whole subject or nothing', () => {
    equal(commonName(member.certificate), 'pc-1');
    equal(commonName(new X509Certificate(plan({ subject: named('a b') }))), undefined);
  });
});

describe('the keyring', () => {
  const text = (der: Buffer) => der.toString('base64url');

  it('finds what it learnt, by kid, with name and key', () => {
    const keyring = new MemberKeyring({ anchors: [authority.certificate] }, () => WALL_MS);
    equal(keyring.find(member.kid), undefined);
    const learnt = keyring.learn(member.kid, text(member.certificate.raw));
    equal(learnt?.name, 'pc-1');
    equal(keyring.find(member.kid)?.key.equals(member.certificate.publicKey), true);
    equal(keyring.isRevoked('pc-1'), false);
  });

  it('learns nothing under the kid of another, and nothing that the policy refuses', () => {
    const keyring = new MemberKeyring({ anchors: [authority.certificate] }, () => WALL_MS);
    const other = issueIdentity(authority, 'pc-2', 1, WALL_MS);
    equal(keyring.learn(other.kid, text(member.certificate.raw)), undefined);
    const refused = Object.values(FAULTS).flatMap((cases) => cases.map(([, der]) => der));
    for (const der of refused) {
      for (const kid of [keyId(nodeKeys.publicKey), member.kid, keyId(authority.key), '']) {
        equal(keyring.learn(kid, text(der)), undefined);
        equal(keyring.find(kid), undefined);
      }
    }
  });

  it('forgets a certificate when it has expired', () => {
    let wallMs = WALL_MS;
    const keyring = new MemberKeyring({ anchors: [authority.certificate] }, () => wallMs);
    keyring.learn(member.kid, text(member.certificate.raw));
    wallMs = Date.parse(member.certificate.validTo);
    ok(keyring.find(member.kid) !== undefined);
    wallMs += 1;
    equal(keyring.find(member.kid), undefined);
    wallMs = WALL_MS;
    equal(keyring.find(member.kid), undefined);
  });

  it('keeps old and new key of a renewed node side by side', () => {
    const keyring = new MemberKeyring({ anchors: [authority.certificate] }, () => WALL_MS);
    const renewed = issueIdentity(authority, 'pc-1', 30, WALL_MS);
    keyring.learn(member.kid, text(member.certificate.raw));
    keyring.learn(renewed.kid, text(renewed.certificate.raw));
    deepEqual([keyring.find(member.kid)?.name, keyring.find(renewed.kid)?.name], ['pc-1', 'pc-1']);
  });
});
