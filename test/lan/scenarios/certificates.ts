/**
 * `certificates`: bad ones of every kind, most of them signed with the real CA's key, shown in
 * packets, in TLS and at the desk that renews. None may open anything; a good one, shown the same
 * way at the end, opens all three.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { authorityFromPem, createAuthority, issueIdentity } from '@peerage/core/trust/authority.js';
import {
  type CertificatePlan,
  makeCertificate,
  type NamePart,
  OIDS,
  utcTime,
} from '../../trust/der.js';
import { GROUP_NAME, Ground, OBJECT_PORT, PACKET_PORT, sumOf } from '../attack/ground.js';
import type { CertificatesOrder, CertificatesResult, ShownCertificate } from '../attack/kinds.js';
import { launch } from '../attack/launch.js';
import { missingForLan } from '../namespaces.js';
import { atLeast, equal, type Report } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';

const DAY_MS = 86_400_000;
const KINDS_MIN = 14;
const GOOD = 'a good one';
const REVOKED_NAME = 'stolen';

export const certificates: Scenario = {
  name: 'certificates',
  summary: 'bad certificates of twenty kinds in packets, TLS and renewal: none opens anything',
  missing: missingForLan,
  run,
};

async function run(options: ScenarioOptions): Promise<Report> {
  const say = options.say ?? (() => undefined);
  const ground = await Ground.prepare(2);
  try {
    await ground.victim.ask('ca', 'revoke', REVOKED_NAME, '--force');
    await ground.startVictim();
    const [victim, attacker] = ground.hosts;
    if (victim === undefined || attacker === undefined) throw new Error('there are two hosts');
    const authority = authorityFromPem(ground.authorityPem, 'ca');
    const order: CertificatesOrder = {
      certificates: [...badCertificates(authority.key), goodCertificate(ground.authorityPem)],
      caPem: authority.certificate.toString(),
      group: GROUP_NAME,
      address: attacker.address,
      host: victim.address,
      port: OBJECT_PORT,
      packetPort: PACKET_PORT,
    };
    say(`${order.certificates.length} certificates, one after the other, on three ways`);
    const { rows } = await launch<CertificatesResult>(attacker, 'certificates', order).result;
    const { counters } = (await ground.status()).lan;
    const peers = (await ground.victim.ask('peers')) as Array<{ name: string }>;
    return report(
      rows,
      counters,
      peers.map(({ name }) => name),
    );
  } finally {
    await ground.end();
  }
}

/** Names, times, usages and keys that are right, but for what each kind says. */
function badCertificates(caKey: KeyObject): ShownCertificate[] {
  const now = Date.now();
  const keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
  const edwards = generateKeyPairSync('ed25519');
  const twin = createAuthority(GROUP_NAME, now);
  const foreign = createAuthority('elsewhere', now);
  const named = (name: string): NamePart[] => [[OIDS.commonName, name]];
  const right: CertificatePlan = {
    subject: named('bad'),
    issuer: named(GROUP_NAME),
    publicKey: keys.publicKey,
    signer: caKey,
    notBefore: utcTime(now - DAY_MS),
    notAfter: utcTime(now + DAY_MS),
    ca: false,
    usages: [OIDS.serverAuth, OIDS.clientAuth],
  };
  const { usages: _usages, ...unused } = right;
  const kind = (why: string, plan: Partial<CertificatePlan>, key = keys.privateKey) =>
    shown(why, makeCertificate({ ...right, ...plan }), key);
  return [
    kind('ended long ago', {
      notBefore: utcTime(now - 60 * DAY_MS),
      notAfter: utcTime(now - 50 * DAY_MS),
    }),
    kind('begins tomorrow', {
      notBefore: utcTime(now + DAY_MS),
      notAfter: utcTime(now + 2 * DAY_MS),
    }),
    kind('ends before it begins', { notAfter: utcTime(now - 2 * DAY_MS) }),
    kind('of a foreign CA', { issuer: named('elsewhere'), signer: foreign.key }),
    kind('of another CA of the same name', { signer: twin.key }),
    kind('signed by itself', { issuer: named('bad'), signer: keys.privateKey }),
    kind('signed by a member', { issuer: named('h1'), signer: keys.privateKey }),
    kind('signed by a member in the name of the CA', { signer: keys.privateKey }),
    kind('a CA itself', { ca: true }),
    shown('of no usage', makeCertificate(unused), keys.privateKey),
    kind('for servers only', { usages: [OIDS.serverAuth] }),
    kind('for clients only', { usages: [OIDS.clientAuth] }),
    kind('for signing code', { usages: [OIDS.codeSigning] }),
    kind('signed with SHA-1', { hash: 'sha1' }),
    kind('signed with SHA-384', { hash: 'sha384' }),
    kind('of two minds about its algorithm', { claimedHash: 'sha1' }),
    kind('of an RSA key', { publicKey: rsa.publicKey }, rsa.privateKey),
    kind('of a P-384 key', { publicKey: p384.publicKey }, p384.privateKey),
    kind('of an Ed25519 key', { publicKey: edwards.publicKey }, edwards.privateKey),
    kind('without a name', { subject: [] }),
    kind('with a path for a name', { subject: named('../../h1') }),
    kind('with two names', { subject: [...named('bad'), ...named('h1')] }),
    kind('too large', { filler: Buffer.alloc(5000) }),
    kind('of a revoked name', { subject: named(REVOKED_NAME) }),
  ];
}

function goodCertificate(authorityPem: string): ShownCertificate {
  const authority = authorityFromPem(authorityPem, 'ca');
  const identity = issueIdentity(authority, 'good', 1, Date.now());
  return shown(GOOD, identity.certificate.raw, identity.key);
}

function shown(why: string, der: Buffer, key: KeyObject): ShownCertificate {
  const keyPem = String(key.export({ type: 'pkcs8', format: 'pem' }));
  return { why, der: der.toString('base64'), keyPem };
}

function report(
  rows: CertificatesResult['rows'],
  counters: Readonly<Record<string, number>>,
  peers: readonly string[],
): Report {
  const bad = rows.filter(({ why }) => why !== GOOD);
  const good = rows.find(({ why }) => why === GOOD);
  const opened = (way: 'members' | 'renewal') => {
    return bad
      .filter((row) => row[way].startsWith('2'))
      .map(({ why }) => why)
      .join('; ');
  };
  const sent = bad.filter((row) => row.sent).length;
  return {
    scenario: 'certificates',
    options: { kinds: bad.length },
    rows: rows.map((row) => ({ ...row })),
    targets: [
      atLeast('bad kinds', bad.length, KINDS_MIN),
      equal('nodes taken for members by their packets', peers.join(' '), 'good'),
      equal('packets accepted', sumOf(counters, 'received-'), 1),
      atLeast(
        'packets refused',
        sumOf(counters, 'rejected-') - (counters['rejected-own'] ?? 0),
        sent,
      ),
      equal('bad ones that opened what is for members', opened('members'), ''),
      equal('bad ones that were renewed', opened('renewal'), ''),
      equal('the good one, by TLS and at the desk', `${good?.members} ${good?.renewal}`, '200 200'),
    ],
    notes: [
      Object.entries(counters)
        .filter(([name]) => name.startsWith('rejected-'))
        .map(([name, count]) => `${name.slice(9)} ${count}`)
        .join(', '),
    ],
  };
}
