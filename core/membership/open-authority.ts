/**
 * The CA of this machine for the running node, if there is one; opened anew when another one
 * followed (PROTOCOL §1.9). Invariant: nothing that is wrong with it keeps the node from starting; it
 * then only takes no new machines in.
 */
import type { Logger } from '../ports/log.js';
import { hasAuthority, loadAuthority, readPassphrase } from '../state.js';
import type { Authority, Identity } from '../trust/authority.js';

export interface OpenAuthorityOptions {
  readonly stateDirectory: string;
  readonly passphraseFile?: string | undefined;
  readonly logger: Logger;
}

export class OpenAuthority {
  private readonly options: OpenAuthorityOptions;
  private readonly own: Pick<Identity, 'group' | 'anchors'>;
  private opened: Authority | undefined;

  constructor(options: OpenAuthorityOptions, own: Pick<Identity, 'group' | 'anchors'>) {
    this.options = options;
    this.own = own;
  }

  /** The CA, if it is here, opens, and is one that we believe. */
  get current(): Authority | undefined {
    return this.opened;
  }

  /** Reads it from the state directory; what was open stays if that fails. Never rejects. */
  async open(): Promise<void> {
    const { stateDirectory, passphraseFile, logger } = this.options;
    const { group, anchors } = this.own;
    try {
      if (!(await hasAuthority(stateDirectory))) return;
      const passphrase = await readPassphrase(passphraseFile);
      const authority = await loadAuthority(stateDirectory, passphrase);
      const { raw } = authority.certificate;
      if (anchors.some((anchor) => anchor.raw.equals(raw))) this.opened = authority;
      else logger.log('warn', 'ca-not-ours', { ca: authority.group, group });
    } catch (error) {
      logger.log('warn', 'ca-not-open', { error, effect: 'this node takes no new machines in' });
    }
  }
}
