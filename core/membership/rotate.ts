/**
 * Changing the group's CA on the machine that has it (PROTOCOL §1.9): a new key, vouched for by the
 * one before, in the next version of the group policy; later the one before is retired. The caller
 * holds the ledger's lock.
 *
 * Invariants: the new key is on disk before anything says that it is in force, and the file of the
 * CA changes last; a change that was cut off in between is finished at the next look
 * (`loadAuthority`); the key before is gone when the change is made, for nothing needs it any more.
 */
import { CodedError } from '@peerage/sdk';
import { placeAuthority, savePolicy, stageAuthority } from '../state.js';
import { type Authority, createAuthority } from '../trust/authority.js';
import { caHash } from '../trust/enrolment.js';
import { type GroupPolicy, signPolicy } from '../trust/group-policy.js';
import { signSuccession } from '../trust/succession.js';
import type { IssuedRecord } from './ledger.js';
import { readPolicy } from './revoke.js';

/**
 * Makes a new CA that follows the one of this machine.
 * @returns the CA now in force
 * @throws CodedError `E_CA_ROTATING`, `E_POLICY_INVALID`
 */
export async function rotateAuthority(
  stateDirectory: string,
  authority: Authority,
  passphrase: string | undefined,
): Promise<Authority> {
  const before = await readPolicy(stateDirectory, authority);
  if (before?.change?.previous !== undefined) {
    throw new CodedError('E_CA_ROTATING', 'the CA changed already, and the one before is in use', {
      action:
        'see `peerage ca list`; when all machines have a new certificate: `peerage ca retire`',
    });
  }
  const next = createAuthority(authority.group, Date.now());
  const succession = signSuccession(next.certificate, authority.key).bytes;
  const change = { succession, previous: authority.certificate };
  await stageAuthority(stateDirectory, next, passphrase);
  await publish(stateDirectory, next, { ...before, change });
  await placeAuthority(stateDirectory);
  return next;
}

/**
 * From now on nobody believes the CA before the last change.
 * @throws CodedError `E_CA_NOT_ROTATING`, `E_POLICY_INVALID`
 */
export async function retireAuthority(stateDirectory: string, authority: Authority): Promise<void> {
  const before = await readPolicy(stateDirectory, authority);
  if (before?.change?.previous === undefined) {
    throw new CodedError('E_CA_NOT_ROTATING', 'there is no CA before this one in use', {
      action: 'nothing needs to be done; `peerage ca rotate` begins a change',
    });
  }
  const { succession } = before.change;
  await publish(stateDirectory, authority, {
    ...before,
    change: { succession, previous: undefined },
  });
}

/** Names whose latest certificate is good and of an earlier CA than `authority`. */
export function namesOfBefore(
  issued: readonly IssuedRecord[],
  authority: Pick<Authority, 'certificate'>,
  nowMs: number,
): string[] {
  const own = caHash(authority.certificate);
  // Noted in the order in which they were issued.
  const latest = new Map(issued.map((record) => [record.name, record]));
  const left = [...latest.values()].filter(({ ca, expiresAt }) => ca !== own && nowMs < expiresAt);
  return left.map(({ name }) => name);
}

async function publish(
  stateDirectory: string,
  authority: Authority,
  change: Partial<GroupPolicy> & Pick<GroupPolicy, 'change'>,
): Promise<void> {
  const { group } = authority;
  const version = (change.version ?? 0) + 1;
  const { revoked = [] } = change;
  const policy = { ...change, group, version, issued: Date.now(), revoked };
  await savePolicy(stateDirectory, signPolicy(policy as GroupPolicy, authority).bytes);
}
