/**
 * What the heart wants done. Effects are data: the shell performs them, the simulated world
 * imitates them, each with one exhaustive switch.
 *
 * Order contract: perform the effects of one call in the order of the list. Nothing in the list
 * waits for the result of an earlier effect; results come back by further calls (`retrieved`). A
 * `retrieve` of a peer that comes while the Internet is being asked takes its place: the shell
 * ends its own download at the next piece, reports nothing of it, and goes on there.
 */
import type { Address, Copy, Message, Sender } from './message.js';

/** A peer that offers a copy. */
export interface PeerSource {
  readonly kind: 'peer';
  readonly kid: string;
  readonly name: string;
  readonly address: Address;
  readonly port: number;
  readonly copy: Copy;
}

/** A peer that is downloading it: its pieces are followed as they arrive (§6.3). */
export interface FlightSource {
  readonly kind: 'flight';
  readonly kid: string;
  readonly name: string;
  readonly address: Address;
  readonly port: number;
  /** Path of the flight on the peer's object server. */
  readonly flight: string;
}

/** The Internet. */
export interface OriginSource {
  readonly kind: 'origin';
  /** Why no peer serves it. */
  readonly reason: OriginReason;
  /** This node cannot go itself at the moment, and there is a provider that can (§5.5). */
  readonly byProvider?: true;
}

/** A source on the LAN. */
export type LanSource = PeerSource | FlightSource;

export type Source = PeerSource | FlightSource | OriginSource;

/** Why a want is sent to the Internet; shown to the admin. */
export type OriginReason =
  | 'alone'
  | 'nobody-answered'
  | 'all-said-none'
  | 'sources-failed'
  | 'role-server'
  | 'unshared'
  | 'too-many-searches'
  /** The peer that was downloading it is gone; this node continues (§5.4). */
  | 'taken-over';

/** Why a service has another provider; shown to the admin. */
export type ElectionReason =
  | 'elected'
  | 'better'
  | 'taken-over'
  | 'healed'
  | 'resigned'
  | 'left'
  | 'silent'
  | 'excluded';

/** Who provides a service. */
export interface Designation {
  /** Absent while nobody does. */
  readonly provider: string | undefined;
  readonly kid: string | undefined;
  readonly backup: string | undefined;
  readonly epoch: number;
  readonly reason: ElectionReason;
}

/** What elections want done. */
export type ElectionEffect =
  /** The provider or backup of a service, or its epoch, is another now (§8.6). */
  | { readonly kind: 'designate'; readonly service: string; readonly designation: Designation }
  /** The highest epoch heard of: it must survive a restart (§8.6). */
  | { readonly kind: 'keep-epoch'; readonly service: string; readonly epoch: number }
  /** Hold a connection to this provider, for which we are the backup; to nobody if absent (§8.7). */
  | { readonly kind: 'attend'; readonly service: string; readonly provider: Sender | undefined };

export type Effect =
  | { readonly kind: 'broadcast'; readonly message: Message }
  | {
      readonly kind: 'send';
      readonly to: Address;
      /** Whether the packet should carry our certificate, the receiver may not have it (§2.6). */
      readonly introduce: boolean;
      readonly message: Message;
    }
  /** Get the wanted bytes from this source; answer with `Peer.retrieved`. */
  | { readonly kind: 'retrieve'; readonly want: number; readonly source: Source }
  /** The want is over: its bytes arrived, or every source failed. */
  | { readonly kind: 'settle'; readonly want: number; readonly ok: boolean }
  /** A member has a newer group policy than we (§1.8); answer with `Peer.policyGrew`. */
  | { readonly kind: 'fetch-policy'; readonly from: Sender; readonly version: number }
  | ElectionEffect
  /** An application's packet for a plugin of this node. */
  | {
      readonly kind: 'deliver';
      readonly service: string;
      readonly from: string;
      readonly name: string;
      readonly values: Readonly<Record<string, string>>;
    };
