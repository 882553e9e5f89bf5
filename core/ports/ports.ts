/**
 * The contracts by which the three shells (packets, content, plugins) meet: none imports another,
 * `composition.ts` joins them. Each contract has one suite in test/contract where it has more than
 * one implementation.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type {
  CommandDescription,
  CommandResult,
  ResourceRequest,
  ResourceResponse,
} from '@peerage/sdk';
import type { Copies } from '../protocol/context.js';
import type { LanSource, Source } from '../protocol/effect.js';
import type { RetrievalResult } from '../protocol/retrieval.js';
import type { Want } from '../protocol/search.js';
import type { SearchWitness, WhyRecord } from './why.js';

/** One want on its way through the LAN; ends by `done` or `cancel`, exactly once. */
export interface LanSearch {
  /**
   * Resolves if, while the Internet is being asked, a better source is to be used instead; another
   * promise each time that the Internet is to be asked.
   */
  readonly better: Promise<LanSource>;
  /** The source to try first. */
  first(): Promise<Source>;
  /** The source that `next` follows failed thus; `undefined` when there is none left. */
  next(failed: Source, result: Exclude<RetrievalResult, 'ok'>): Promise<Source | undefined>;
  /** The bytes arrived from the last source. */
  done(): void;
  cancel(): void;
}

/** A peer as the admin sees it. */
export interface PeerStatus {
  readonly name: string;
  readonly kid: string;
  readonly address: string;
  readonly heardMsAgo: number;
  readonly internet: boolean;
  readonly roles: 'both' | 'client' | 'server';
}

export interface PeeringStatus {
  readonly peers: readonly PeerStatus[];
  readonly roundTripMs: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly banned: readonly string[];
  /** How this machine's clock stands among those of the peers (PROTOCOL §2.4). */
  readonly clock: {
    readonly senders: number;
    readonly offsetMs: number;
    readonly alarm: boolean;
  };
  readonly interfaces: readonly string[];
}

/** Where a live peer is. */
export interface PeerEndpoint {
  readonly kid: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** A plugin's own packet, as the same plugin on another node gets it (PROTOCOL §2.2). */
export interface Announcement {
  readonly name: string;
  readonly values: Readonly<Record<string, string>>;
  /** Name of the node that said it. */
  readonly from: string;
}

export type AnnouncementListener = (announcement: Announcement) => void;

/** The shell of the packets. */
export interface LanPeering {
  search(want: Want, witness?: SearchWitness): LanSearch;
  /**
   * Broadcasts a packet of a plugin's own, signed, once.
   * @throws CodedError `E_ANNOUNCEMENT_INVALID`, `E_ANNOUNCEMENT_RATE`
   */
  announce(service: string, name: string, values: Readonly<Record<string, string>>): void;
  /** Hears what the same plugin announces on other nodes. */
  onAnnouncement(service: string, listener: AnnouncementListener): { dispose(): void };
  /** Where the live peer with this kid is, by its own signed packets. */
  locate(kid: string): PeerEndpoint | undefined;
  status(): PeeringStatus;
}

/** A download in progress, as the admin sees it. */
export interface DownloadStatus {
  readonly url: string;
  readonly service: string;
  readonly source: 'peer' | 'origin';
  readonly from: string;
  readonly receivedBytes: number;
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number;
  readonly startedMsAgo: number;
  /** The node whose download from the Internet is followed here (PROTOCOL §5.2). */
  readonly follows: string | undefined;
  /** How long the rest will take at the rate up to now, if that can be said. */
  readonly leftMs: number | undefined;
}

/** An object in the store, as the admin sees it. */
export interface CacheEntryStatus {
  readonly url: string;
  readonly variant: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly fetchedAt: string;
  readonly expiresAt: string;
  readonly fetchedBy: string;
  readonly pinned: boolean;
}

export interface TransferStatus {
  readonly objects: number;
  readonly storedBytes: number;
  readonly quotaBytes: number;
  readonly counters: Readonly<Record<string, number>>;
}

/** Why copies went. `replaced`: a newer answer of the same URL took the place. */
export type GoneReason = 'purged' | 'revoked' | 'evicted' | 'corrupt' | 'replaced';

/** Copies that must not be delivered any more, from this moment on. */
export interface ObjectsGone {
  readonly reason: GoneReason;
  readonly copies: ReadonlyArray<{
    readonly url: string;
    readonly variant: string;
    readonly sha256: string;
  }>;
}

/** The shell of the content. */
export interface ContentTransfer {
  readonly copies: Copies;
  /**
   * Tells of copies that went, in the very turn in which they did: who delivers from a view of its
   * own (a lease) and hears it delivers none of them afterwards. What expires goes without a word:
   * a view of its own ends at `expiresAt`.
   */
  onObjectsGone(listener: (gone: ObjectsGone) => void): { dispose(): void };
  /**
   * Opens a resource for a service (a plugin, or `cli`).
   * @throws CodedError, see `PeeringService.open`
   */
  open(service: string, request: ResourceRequest): Promise<ResourceResponse>;
  /** Resolves and judges the address of an origin. @throws CodedError `E_ADDRESS_DENIED` */
  route(host: string, port: number): Promise<{ addresses: string[]; port: number }>;
  downloads(): DownloadStatus[];
  entries(): CacheEntryStatus[];
  /** Pins or unpins all variants of a URL; the number of entries concerned. */
  pin(url: string, pinned: boolean): Promise<number>;
  /** Forgets all variants of a URL; the number of entries concerned. */
  purge(url: string): Promise<number>;
  /** Why the last requests were answered as they were; for one URL, or all; newest first. */
  why(url: string | undefined): WhyRecord[];
  status(): TransferStatus;
}

/** A plugin as the admin sees it. */
export interface PluginStatus {
  readonly id: string;
  readonly version: string;
  readonly state:
    | 'disabled'
    | 'idle'
    | 'starting'
    | 'active'
    | 'restarting'
    | 'quarantined'
    | 'stopped';
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly lastError: string | undefined;
  readonly counters: Readonly<Record<string, number>>;
}

/** The shell of the plugins. */
export interface PluginHost {
  plugins(): PluginStatus[];
  /** Resolves when no plugin delivers any more what went from the store up to now. */
  leasesEnded(): Promise<void>;
  /** Somebody asks for this URL: starts the plugin that waits for such a one. */
  requested(url: string): void;
  /** The commands that plugins add. */
  commands(): PluginCommandStatus[];
  /** Runs a plugin's command. @throws CodedError `E_PLUGIN_UNKNOWN`, `E_COMMAND_UNKNOWN`, … */
  run(plugin: string, name: string, args: readonly string[], json: boolean): Promise<CommandResult>;
  /** Ends a plugin's process and starts it anew. @throws CodedError `E_PLUGIN_UNKNOWN` */
  restart(plugin: string): Promise<void>;
  /** Reads plugins.json again. @throws CodedError and changes nothing if it is wrong */
  reload(): Promise<ReloadReport>;
}

/** A command of a plugin as `peerage --help` shows it. */
export interface PluginCommandStatus extends CommandDescription {
  readonly plugin: string;
}

/** What a reload did, by plugin id. */
export interface ReloadReport {
  readonly started: readonly string[];
  readonly changed: readonly string[];
  readonly stopped: readonly string[];
  readonly unchanged: readonly string[];
}

/** Answers `/j/…` on the object server of the node that has the CA (PROTOCOL §1.7). */
export interface JoinDesk {
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** What is known of this machine's way to the Internet. */
export interface InternetReach {
  /** Whether an origin may be reached, as far as is known. */
  readonly reaches: boolean;
  /** An origin was asked for something, and answered or could not be reached. */
  originAsked(host: string, answered: boolean): void;
}
