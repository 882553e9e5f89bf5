/** What `status` warns of, each before it hurts. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { warningsOf } from '@peerage/core/service/warnings.js';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const inDays = (days: number) => new Date(NOW + days * 86_400_000).toISOString();
const FINE = {
  about: { solo: false, certificateEnds: inDays(20), authorityEnds: inDays(3000) },
  lan: { banned: [], clock: { senders: 5, offsetMs: 20, alarm: false } },
  equivocations: [],
  now: NOW,
};

describe('the warnings of status', () => {
  it('are none where all is well', () => deepEqual(warningsOf(FINE), []));

  it('a clock that is off, which way and by how much', () => {
    const clock = { senders: 5, offsetMs: 45_200, alarm: true };
    const [warning] = warningsOf({ ...FINE, lan: { banned: [], clock } });
    match(warning?.message ?? '', /clock is 45 s behind those of 5 peers/);
    const ahead = { ...clock, offsetMs: -45_200 };
    const [other] = warningsOf({ ...FINE, lan: { banned: [], clock: ahead } });
    match(other?.message ?? '', /45 s ahead of/);
  });

  it('the end of the CA half a year before, that of a certificate three days before', () => {
    const kinds = (certificate: number, authority: number, solo = false) => {
      const ends = { certificateEnds: inDays(certificate), authorityEnds: inDays(authority) };
      return warningsOf({ ...FINE, about: { solo, ...ends } }).map(({ kind }) => kind);
    };
    deepEqual(kinds(20, 179), ['authority-ends']);
    deepEqual(kinds(2, 181), ['certificate-ends']);
    deepEqual(kinds(2, 179, true), []);
  });

  it('a group policy that others have and do not give, as they do to whoever is revoked', () => {
    const [warning] = warningsOf({ ...FINE, withheldBy: ['pc-3'] });
    equal(warning?.kind, 'revoked');
    match(warning?.message ?? '', /pc-3 tell of a newer group policy/);
  });

  it('who is banned, and who signed two truths', () => {
    const found = {
      signer: 'pc-9',
      url: 'https://o.example/a',
      variant: '*',
      fetchedAt: NOW,
      sha256: ['aa', 'bb'],
      attestations: ['1', '2'],
    } as const;
    const lan = { ...FINE.lan, banned: ['pc-9'] };
    const [banned, equivocation] = warningsOf({ ...FINE, lan, equivocations: [found] });
    match(banned?.message ?? '', /pc-9/);
    equal(equivocation?.kind, 'equivocation');
    match(equivocation?.message ?? '', /pc-9 signed two different contents .*aa and bb/);
  });
});
