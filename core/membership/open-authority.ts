/**
 * Opens the CA of this machine for the running node, if there is one. Invariant: nothing that is
 * wrong with it keeps the node from starting; it then only takes no new machines in.
 */
import type { Logger } from '../ports/log.js';
import { hasAuthority, loadAuthority, readPassphrase } from '../state.js';
import type { Authority, Identity } from '../trust/authority.js';

export interface OpenAuthorityOptions {
  readonly stateDirectory: string;
  readonly passphraseFile?: string | undefined;
  readonly logger: Logger;
}

/** The CA, if it is here, opens, and is the one of our own group. */
export async function openAuthority(
  { stateDirectory, passphraseFile, logger }: OpenAuthorityOptions,
  identity: Identity,
): Promise<Authority | undefined> {
  if (!(await hasAuthority(stateDirectory))) return undefined;
  try {
    const passphrase = await readPassphrase(passphraseFile);
    const authority = await loadAuthority(stateDirectory, passphrase);
    if (authority.certificate.raw.equals(identity.ca.raw)) return authority;
    logger.log('warn', 'ca-not-ours', { ca: authority.group, group: identity.group });
  } catch (error) {
    logger.log('warn', 'ca-not-open', { error, effect: 'this node takes no new machines in' });
  }
  return undefined;
}
