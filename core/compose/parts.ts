/**
 * What the registrations in this folder are given: the ground (what was read or opened before
 * anything could be constructed) and the container as they may see it. `composition.ts` alone
 * uses the container itself.
 */
import { createHash } from 'node:crypto';
import type { HandedSocket } from '../host/handed-socket.js';
import type { CurrentIdentity } from '../membership/current-identity.js';
import type { OpenAuthority } from '../membership/open-authority.js';
import type { SavedElections } from '../peering/saved-elections.js';
import type { Configuration } from '../ports/configuration.js';
import type { Logger } from '../ports/log.js';
import type { ObjectStore } from '../transfer/store.js';
import type { MemberKeyring } from '../trust/keyring.js';
import type { SenderClocks } from '../wire/clocks.js';

type Token<T> = abstract new (...args: never[]) => T;

/** The parts made so far; asking for one makes it, once. */
export interface Parts {
  resolve<T>(token: Token<T>): T;
}

/** Says how a part is made. */
export type Register = <T>(token: Token<T>, make: (parts: Parts) => T) => void;

export interface NodeOptions {
  readonly stateDirectory: string;
  readonly configuration: Configuration;
  readonly logger: Logger;
  /** The file with the passphrase of this machine's CA, if it has an encrypted one. */
  readonly passphraseFile?: string | undefined;
  /** Sockets that the service manager keeps open for plugins. */
  readonly sockets?: readonly HandedSocket[];
}

/** What was read or opened before anything could be constructed. */
export interface Ground extends NodeOptions {
  readonly identity: CurrentIdentity;
  readonly solo: boolean;
  readonly store: ObjectStore;
  /** The group's CA, if it is on this machine. */
  readonly authority: OpenAuthority;
  readonly keyring: MemberKeyring;
  readonly clocks: SenderClocks;
  /** What elections of earlier runs left. */
  readonly elections: SavedElections;
  /** Names this run of the node; in every packet. */
  readonly boot: string;
}

export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
