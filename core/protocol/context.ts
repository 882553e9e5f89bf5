/**
 * What the instances of the heart (searches, answers) share: who we are, whom we know, chance, and
 * the list of effects under construction. Made once by `Peer`; never leaves the heart.
 */
import type { Counters } from '../base/bounded.js';
import type { Random } from '../base/random.js';
import type { Bans } from './bans.js';
import type { Crowds } from './crowd.js';
import type { Effect } from './effect.js';
import type { Hints } from './hints.js';
import type { Members } from './members.js';
import type { Copy } from './message.js';
import type { RoundTrip, Sha256 } from './timing.js';

export type Profile = 'adaptive' | 'classic';

/** What a request asks the local list of aliased copies (§3.1). */
export interface CopyQuery {
  readonly href: string;
  readonly variant: string;
  readonly stale: boolean;
  readonly ageMaxMs: number | undefined;
}

/** A download of ours that is still in progress (§3.4). */
export interface OwnDownload {
  readonly receivedBytes: number;
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number;
}

/** The local list of aliased copies; passed in, since the store owns it. */
export interface Copies {
  find(query: CopyQuery): Copy | undefined;
  downloading(query: CopyQuery): OwnDownload | undefined;
}

/** What is fixed for the life of a node's heart. */
export interface PeerOptions {
  readonly kid: string;
  readonly boot: string;
  readonly profile: Profile;
  readonly client: boolean;
  readonly server: boolean;
  /** Whether this node may use the Internet. */
  readonly internet: boolean;
  /** Whether a holder broadcasts its response instead of sending it to the requester (§3.3). */
  readonly broadcastResponses: boolean;
  readonly roundTripInitialMs: number;
  /** False for a group of one: nothing is ever sent. */
  readonly peering: boolean;
  readonly copies: Copies;
  readonly random: Random;
  readonly sha256: Sha256;
  /** What elections need; without it this node takes part in none. */
  readonly elections?: ElectionSetup;
}

/** What is known before the first election (§8). */
export interface ElectionSetup {
  /** Our lasting name; what elections go by. */
  readonly name: string;
  /** The highest epoch of each service that earlier runs of this node heard of. */
  readonly epochs: ReadonlyMap<string, number>;
}

export interface Context {
  readonly options: PeerOptions;
  readonly members: Members;
  readonly hints: Hints;
  readonly crowds: Crowds;
  readonly roundTrip: RoundTrip;
  readonly bans: Bans;
  readonly counters: Counters;
  /** The kid of the provider of a service, if that is another node (§8.9). */
  provider(service: string): string | undefined;
  /** The kid of the provider of a service, also if that is this node (§5.3). */
  designated(service: string): string | undefined;
  emit(effect: Effect): void;
}

/** A 128-bit number in base64url (22 characters). */
export function drawNonce(random: Random): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  let nonce = '';
  for (let i = 0; i < 21; i += 1) nonce += alphabet.charAt(random.uint32() >>> 26);
  return nonce + 'AQgw'.charAt(random.uint32() >>> 30);
}
