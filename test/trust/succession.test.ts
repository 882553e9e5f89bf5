/** A CA that follows another one (§1.9), as documents: who can say so, and who believes it. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { type Authority, createAuthority, issueIdentity } from '@peerage/core/trust/authority.js';
import {
  anchorsUnder,
  type GroupPolicy,
  openPolicy,
  signPolicy,
} from '@peerage/core/trust/group-policy.js';
import { openSuccession, signSuccession } from '@peerage/core/trust/succession.js';
import { sealFrame } from '@peerage/core/wire/frame.js';

const now = Date.now();
const before = createAuthority('office', now);
const next = createAuthority('office', now);
const foreign = createAuthority('office', now);

function policyOf(signer: Authority, change?: GroupPolicy['change']): Buffer {
  const policy = { group: 'office', version: 4, issued: now, revoked: [] };
  return signPolicy(change === undefined ? policy : { ...policy, change }, signer).bytes;
}

describe('the succession of a CA', () => {
  const { bytes } = signSuccession(next.certificate, before.key);

  it('is believed by those who believe the CA before, and by nobody else', () => {
    const verdict = openSuccession(bytes, [before.certificate]);
    ok(verdict.ok && verdict.value.ca.raw.equals(next.certificate.raw));
    for (const anchor of [next, foreign]) ok(!openSuccession(bytes, [anchor.certificate]).ok);
    ok(!openSuccession(bytes, []).ok);
  });

  it('does not hold with any byte changed, or in another context', () => {
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      ok(!openSuccession(changed, [before.certificate]).ok, `byte ${at}`);
    }
    const pairs = [
      ['type', 'succession'],
      ['version', '1.0'],
      ['group', 'office'],
      ['ca', next.certificate.raw.toString('base64url')],
    ] as const;
    ok(
      openSuccession(sealFrame('peerage/succession/v1', pairs, before.key), [before.certificate])
        .ok,
    );
    ok(!openSuccession(sealFrame('peerage/policy/v1', pairs, before.key), [before.certificate]).ok);
  });

  it('names a CA of the same group, and nothing but a CA', () => {
    const other = createAuthority('elsewhere', now).certificate;
    const node = issueIdentity(before, 'pc-1', 30, now).certificate;
    for (const ca of [other, node]) {
      ok(!openSuccession(signSuccession(ca, before.key).bytes, [before.certificate]).ok);
    }
  });
});

describe('a group policy after a change of the CA', () => {
  const succession = signSuccession(next.certificate, before.key).bytes;
  const both = { succession, previous: before.certificate };

  it('is believed by those pinned to the CA before and to the new one, and names both', () => {
    for (const anchor of [before, next]) {
      const verdict = openPolicy(policyOf(next, both), [anchor.certificate]);
      ok(verdict.ok);
      deepEqual(
        anchorsUnder(verdict.value).map(({ raw }) => raw),
        [next.certificate.raw, before.certificate.raw],
      );
    }
    ok(!openPolicy(policyOf(next, both), [foreign.certificate]).ok);
  });

  it('that retires the one before is still understood by those pinned to it', () => {
    const retired = policyOf(next, { succession, previous: undefined });
    const verdict = openPolicy(retired, [before.certificate]);
    ok(verdict.ok);
    equal(anchorsUnder(verdict.value).length, 1);
    ok(anchorsUnder(verdict.value)[0]?.raw.equals(next.certificate.raw));
  });

  it('cannot be made by a stranger who borrows a succession', () => {
    ok(!openPolicy(policyOf(foreign, both), [before.certificate]).ok);
    const forged = signSuccession(foreign.certificate, foreign.key).bytes;
    const change = { succession: forged, previous: before.certificate };
    ok(!openPolicy(policyOf(foreign, change), [before.certificate]).ok);
  });

  it('makes no sense with a CA before that is none, or of another group', () => {
    const node = issueIdentity(before, 'pc-1', 30, now).certificate;
    const other = createAuthority('elsewhere', now).certificate;
    for (const previous of [node, other]) {
      ok(!openPolicy(policyOf(next, { succession, previous }), [before.certificate]).ok);
    }
  });
});
