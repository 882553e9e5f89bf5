/**
 * The messages of the protocol as the heart sees them: already verified, or not yet sealed.
 * Bytes, signatures and addresses' authenticity are the business of `wire`. PROTOCOL §2.
 */

import type { Criterion } from './election-criteria.js';

/** An IPv4 or IPv6 address in its usual text form. */
export type Address = string;

/** A verified sender (§1.1, §2.2). */
export interface Sender {
  /** Short key identity; changes when the certificate is renewed with a new key. */
  readonly kid: string;
  /** Lasting identity: the certificate's name. */
  readonly name: string;
  /** Random identity of the sender's current run. */
  readonly boot: string;
  readonly address: Address;
  /** TCP port of its object server. */
  readonly port: number;
}

/** How responders are to draw their delay (§1.4, §4.4). */
export interface DelayRule {
  readonly distribution: 'uniform' | 'exponential';
  /** The response window T in milliseconds; 0 for "at once". */
  readonly windowMs: number;
  /** The number of peers n that the requester knows of. */
  readonly peers: number;
}

interface Tied {
  /** The plugin whose request this is (§2.2). */
  readonly service: string;
  /** Ties request, responses and end-request together; unique on the requester (§2.2). */
  readonly id: number;
}

/** "I need" (§3.1, §3.5). */
export interface Request extends Tied {
  readonly type: 'request';
  readonly href: string;
  /** Which of several variants of the URL (§7); `*` if it does not matter. */
  readonly variant: string;
  /** Only copies in a cache are wanted; false asks the provider to fetch on one's behalf. */
  readonly cachedOnly: boolean;
  /** Copies that need revalidation are welcome too. */
  readonly stale: boolean;
  /** Oldest copy wanted, in milliseconds since it was fetched or revalidated. */
  readonly ageMaxMs?: number;
  /** Whether the sender can fetch it from the Internet, also for others (§5.3). */
  readonly internet: boolean;
  readonly delay: DelayRule;
  readonly nonce: string;
  /** The one node that is asked; absent in a broadcast. */
  readonly to?: string;
}

/** What a holder says of its copy (§3.3). */
export interface Copy {
  /** Path on the holder's object server. */
  readonly alias: string;
  readonly sizeBytes: number;
  /** SHA-256 of the bytes, lower-case hexadecimal. */
  readonly sha256: string;
  /** Path of the attestation (§7) on the holder's object server. */
  readonly attestation: string;
  /** Wall-clock time of the fetch or last revalidation, milliseconds since 1970. */
  readonly fetchedAt: number;
  /** Wall-clock time until which the holder takes it for fresh. */
  readonly expiresAt: number;
}

/** "I have" (§3.3), or "none" to a directed request (§3.1). */
export interface Response extends Tied {
  readonly type: 'response';
  readonly copy?: Copy;
  /** How long the responder waited before it spoke, so that the round trip can be measured. */
  readonly waitedMs: number;
  readonly nonce: string;
  readonly to: string;
}

/** "I found" (§4.5): everybody else may be silent now. */
export interface EndRequest extends Tied {
  readonly type: 'end-request';
  /** The kid of the node whose copy is taken; absent if the requester gave up. */
  readonly source?: string;
}

/** "I am downloading it" (§3.4, §5.1), or "I am about to" (§5.3). */
export interface Progress extends Tied {
  readonly type: 'progress';
  readonly href: string;
  readonly variant: string;
  /** Path of the flight on the sender's object server, where its pieces can be followed (§6.3). */
  readonly flight: string;
  /** Only about to: the Internet was not asked yet, and somebody better may object (§5.3). */
  readonly claim?: boolean;
  readonly receivedBytes: number;
  readonly totalBytes?: number;
  readonly bytesPerSecond: number;
  /** Whether the flight is over without its bytes (§5.1). */
  readonly aborted: boolean;
  readonly to?: string;
}

/** The signed beacon (§2.6). */
export interface Hello {
  readonly type: 'hello';
  readonly client: boolean;
  readonly server: boolean;
  readonly internet: boolean;
  /** Whether the sender has just started and wants to be welcomed. */
  readonly starting: boolean;
  /** How many peers the sender takes for live. */
  readonly peers: number;
  /** Version of the group policy that the sender has (§1.8); absent if it has none. */
  readonly policy?: number;
  /** The one newcomer that is welcomed; absent in a broadcast. */
  readonly to?: string;
}

/** Clean stop (§2.6). */
export interface Bye {
  readonly type: 'bye';
}

/** An application's own packet, delivered to the same plugin on other nodes (§2.2). */
export interface Custom {
  readonly type: 'custom';
  readonly service: string;
  /** The part after `x-<plugin>-`. */
  readonly name: string;
  readonly values: Readonly<Record<string, string>>;
  readonly to?: string;
}

/** "I stand for provider" (§8.3). */
export interface ElectionClaim {
  readonly type: 'election';
  readonly service: string;
  /** The highest epoch that the sender knows of. */
  readonly epoch: number;
  readonly criteria: readonly Criterion[];
  /** Whether an election was called: a live provider has to stand again, too. */
  readonly open: boolean;
}

/** "I am the provider" (§8.6), also as heartbeat and as answer to a claim or a probe. */
export interface ElectionResult {
  readonly type: 'result';
  readonly service: string;
  /** The sender's own name. */
  readonly provider: string;
  /** Name of the node that stands in. */
  readonly backup?: string;
  readonly epoch: number;
  /** How long this holds; 0 when the provider resigns. */
  readonly leaseMs: number;
  readonly criteria: readonly Criterion[];
  /** Whether the election that it comes from is over: then an equal class does not depose it. */
  readonly settled: boolean;
  /** The epoch of the dead provider whose backup takes over (§8.6). */
  readonly replaces?: number;
}

/** "I could be your backup" (§8.7), to the provider. */
export interface Standby {
  readonly type: 'standby';
  readonly service: string;
  readonly epoch: number;
  readonly criteria: readonly Criterion[];
  readonly to: string;
}

/** Between provider and backup (§8.7): keep-alive, its answer, and the probe of a silent provider. */
export interface Alive {
  readonly type: 'alive';
  readonly service: string;
  readonly epoch: number;
  readonly ask: boolean;
  /** When the next one comes at the latest, in milliseconds. */
  readonly intervalMs: number;
  readonly to: string;
}

export type ElectionMessage = ElectionClaim | ElectionResult | Standby | Alive;

export type Message =
  | Request
  | Response
  | EndRequest
  | Progress
  | Hello
  | Bye
  | Custom
  | ElectionMessage;

/** A message with its verified sender. */
export interface Received {
  readonly from: Sender;
  readonly message: Message;
}
