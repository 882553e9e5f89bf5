/** What an update agent and a plugin's feed ask of each other. */
import type { Log, PeeringService } from '@peerage/sdk';
import type { Recall, Rules } from './decide.js';
import type { Disk } from './disk.js';
import type { Announcements, News } from './news.js';
import type { Release } from './release.js';
import type { Failure } from './report.js';
import type { Retrieved } from './retrieve.js';
import type { Shelf } from './shelf.js';

/** A version that is about to be in force. */
export interface Installation {
  readonly component: string;
  readonly version: string;
  /** Where its files are, complete and verified. */
  readonly directory: string;
  /** The version in force now, to go back to; `undefined` if there is none. */
  readonly before: { readonly version: string; readonly directory: string } | undefined;
}

/** What a plugin has to say about its feed. */
export interface Feed {
  readonly name: string;
  /** Asks the origin what is newest. */
  poll(signal: AbortSignal): Promise<readonly Release[]>;
  /** The same from the provider's news, without asking the origin. */
  learn(news: readonly News[], signal: AbortSignal): Promise<readonly Release[]>;
  /** What others need to know to find a release that is verified here. */
  details(release: Release, files: readonly Retrieved[]): Record<string, string>;
  /** Throws unless the staged files are what they claim; sees all files of the version at once. */
  verify(release: Release, directory: string): Promise<void>;
  /** Another way to the same version after this one has failed; `undefined` if there is none. */
  instead?(release: Release): Release | undefined;
  /** Puts a version in force; throws with the version before in force. */
  install(installation: Installation): Promise<void>;
  /** What the feed itself, signed, has recalled: the others are told of it. */
  readonly recalls?: readonly Recall[];
  /** The version that is really in force, where somebody else may change it. */
  installed?(component: string): Promise<string | undefined>;
}

/**
 * `provide`: it is the provider, asks the origin, and shares what it has verified. `poll`: there is
 * none, so it asks the origin, and takes files as anybody does. `listen`: another node asks.
 */
export type Role = 'provide' | 'poll' | 'listen';

/** What the agent stands on; services of the SDK fit as they are. */
export interface AgentPorts {
  readonly node: string;
  readonly shelf: Shelf;
  readonly peering: Pick<PeeringService, 'open' | 'publish'>;
  readonly lan: Announcements;
  /** What this node has to do for the LAN now. */
  readonly role: () => Promise<Role>;
  /**
   * The origin cannot be reached from here: a provider gives its office away, or all the others would
   * wait for one that cannot tell them anything.
   */
  readonly cutOff?: (failure: Failure) => Promise<void>;
  readonly rules: () => Rules;
  readonly log: Log;
  readonly now: () => number;
  readonly disk?: Disk;
}
