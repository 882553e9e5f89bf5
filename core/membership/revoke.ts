/**
 * Revoking on the machine that has the CA: the next version of the group policy is signed and put
 * into the state directory (PROTOCOL §1.8). The caller holds the ledger's lock.
 */
import { CodedError } from '@peerage/sdk';
import { loadIdentity, loadPolicy, savePolicy } from '../state.js';
import type { Authority } from '../trust/authority.js';
import { type GroupPolicy, openPolicy, REVOKED_MAX, signPolicy } from '../trust/group-policy.js';

/** @throws CodedError `E_POLICY_INVALID`, `E_POLICY_FULL`, `E_REVOKE_OWN` */
export async function revokeName(
  stateDirectory: string,
  authority: Authority,
  name: string,
): Promise<GroupPolicy> {
  const { identity, solo } = await loadIdentity(stateDirectory);
  if (!solo && identity.name === name) {
    throw new CodedError('E_REVOKE_OWN', `${name} is this machine, which has the CA`, {
      action: 'move the CA to another machine first',
    });
  }
  const before = await readPolicy(stateDirectory, authority);
  if (before?.revoked.some((entry) => entry.name === name)) return before;
  const revoked = [...(before?.revoked ?? []), { name, since: Date.now() }];
  if (revoked.length > REVOKED_MAX) {
    throw new CodedError('E_POLICY_FULL', `${REVOKED_MAX} names are revoked already`, {
      action: 'begin a new group with a new CA',
    });
  }
  const version = (before?.version ?? 0) + 1;
  const signed = signPolicy(
    { ...before, group: authority.group, version, issued: Date.now(), revoked },
    authority,
  );
  await savePolicy(stateDirectory, signed.bytes);
  return signed.policy;
}

/** The policy of the state directory, if there is one. @throws CodedError `E_POLICY_INVALID` */
export async function readPolicy(
  stateDirectory: string,
  authority: Authority,
): Promise<GroupPolicy | undefined> {
  const bytes = await loadPolicy(stateDirectory);
  if (bytes === undefined) return undefined;
  const verdict = openPolicy(bytes, [authority.certificate]);
  if (verdict.ok) return verdict.value.policy;
  throw new CodedError('E_POLICY_INVALID', `policy.xml does not hold (${verdict.reason})`, {
    expected: 'a group policy signed by the CA of this machine',
    action: 'copy policy.xml from another machine of the group',
  });
}
