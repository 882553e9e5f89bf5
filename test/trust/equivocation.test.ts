/** A member that signs two contents of one answer is found out by whoever sees both (PROTOCOL §7). */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { openAttestation } from '@peerage/core/trust/attestation.js';
import { EquivocationWatch } from '@peerage/core/trust/equivocation.js';
import { contentOf, sha256Of, vouch } from '../fakes/content.js';
import { member } from '../fakes/members.js';
import { keyringOf } from '../fakes/peers.js';

const URL_A = 'https://origin.example/a';
const FETCHED_AT = Date.now();
const liar = member('liar');
const word = (seed: string, changes = {}, signer = liar) =>
  vouch(URL_A, contentOf(seed, 100), { fetchedAt: FETCHED_AT, ...changes }, signer).signed;

describe('a member that contradicts itself', () => {
  it('is refused with its second word, and both are kept by their names', () => {
    const keyring = keyringOf(member('asker'));
    const [first, second] = [word('one'), word('two')];
    ok(openAttestation(first.bytes, keyring).ok);
    const verdict = openAttestation(second.bytes, keyring);
    equal(verdict.ok ? 'ok' : verdict.reason, 'contradiction');
    ok(openAttestation(first.bytes, keyring).ok);
    deepEqual(keyring.equivocations.list(), [
      {
        signer: 'liar',
        url: URL_A,
        variant: '*',
        fetchedAt: FETCHED_AT,
        sha256: [first.attestation.sha256, second.attestation.sha256],
        attestations: [sha256Of(first.bytes), sha256Of(second.bytes)],
      },
    ]);
  });

  it('what can both be true is no contradiction', () => {
    const keyring = keyringOf(member('asker'));
    const same = [
      word('one'),
      word('one', {}, member('liar')),
      word('one', { expiresAt: FETCHED_AT + 5 }),
      word('two', { fetchedAt: FETCHED_AT + 1 }),
      word('three', { variant: 'x' }),
      word('four', {}, member('another')),
    ];
    for (const { bytes } of same) ok(openAttestation(bytes, keyring).ok);
    deepEqual(keyring.equivocations.list(), []);
  });

  it('a forged word accuses nobody', () => {
    const keyring = keyringOf(member('asker'));
    ok(openAttestation(word('one').bytes, keyring).ok);
    const forged = Buffer.from(word('two').bytes);
    forged[forged.length - 10] = (forged[forged.length - 10] ?? 0) ^ 1;
    equal(openAttestation(forged, keyring).ok, false);
    deepEqual(keyring.equivocations.list(), []);
  });

  it('is told of once, and the list is bounded', () => {
    const watch = new EquivocationWatch();
    let told = 0;
    watch.onFound = () => {
      told += 1;
    };
    const { attestation } = word('one');
    for (let i = 0; i < 200; i += 1) {
      const about = { ...attestation, url: `${URL_A}${i}` };
      watch.agrees(about, 'liar', 'a');
      for (let again = 0; again < 3; again += 1) {
        equal(watch.agrees({ ...about, sha256: 'b' }, 'liar', 'b'), false);
      }
    }
    equal(told, 200);
    equal(watch.list().length, 64);
    equal(watch.list().at(-1)?.url, `${URL_A}199`);
  });
});
