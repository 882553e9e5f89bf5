/**
 * `PeeringService`: what a plugin gets from the LAN, shares with it and sends over it.
 *
 * A plugin names it by type in its constructor. It already knows which plugin calls: every call is
 * checked in the core against the manifest and the admin's grant.
 */
import { sharedToken } from './injection.js';
import type { CancellationSignal, Disposable } from './lifecycle.js';

/** Where a response's bytes came from. */
export type ResourceSource = 'hit' | 'peer' | 'origin' | 'collapsed' | 'revalidated' | 'stale';

/** A digest that the caller knows in advance; lower-case hexadecimal. */
export interface KnownDigest {
  readonly algorithm: 'sha256' | 'sha512' | 'sha1' | 'md5';
  readonly hex: string;
}

/** What a plugin knows about a resource that HTTP does not say. */
export interface ResourcePolicy {
  /** The URL always names the same bytes: a copy never needs revalidation, `no-cache` is ignored. */
  readonly immutable?: boolean;
  /** Answer whose bytes differ from this digest are refused (`E_DIGEST_MISMATCH`). */
  readonly digest?: KnownDigest;
  /** The client verifies what it gets (apt does), so cleartext origins may be shared. */
  readonly clientVerifies?: boolean;
  /**
   * How long a download that another node has in progress may be waited for, in milliseconds, by
   * that node's own estimate (PROTOCOL §5.2): 0 never, absent always.
   */
  readonly waitMaxMs?: number;
  /** Neither ask peers nor let them have it. Implied by `Authorization`, `Cookie`, `private`. */
  readonly unshared?: boolean;
}

/** How far a request has come. */
export interface ResourceProgress {
  readonly receivedBytes: number;
  /** Size of the whole resource, if known yet. */
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number;
  /** The name of the node that the bytes come from, or `origin`. */
  readonly from: string;
  /** Whether another node is downloading it and this one waits. */
  readonly waiting: boolean;
}

/** A request for a resource. */
export interface ResourceRequest {
  /** Absolute `http:` or `https:` URL, or a URI that was published; a fragment is ignored. */
  readonly url: string;
  readonly method?: 'GET' | 'HEAD';
  /** The client's request headers, lower-case names; hop-by-hop headers already removed. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly policy?: ResourcePolicy;
  /** First byte wanted, 0 by default. Bytes before it are fetched but not delivered. */
  readonly startByte?: number;
  /** Number of bytes wanted, all from `startByte` by default. */
  readonly lengthBytes?: number;
  readonly signal?: CancellationSignal;
  /**
   * A chunk of the body has to last only until the next one is asked for: its memory may be used
   * again then, which saves a third of the processor time of a large delivery.
   */
  readonly transient?: boolean;
  /** Told of the progress, at most ten times a second, until the body has ended. */
  readonly onProgress?: (progress: ResourceProgress) => void;
}

/** The answer: the head at once, the body as it arrives, verified. */
export interface ResourceResponse {
  /** The HTTP status of the resource itself: 200, or the origin's answer if it was not 200. */
  readonly status: number;
  /** The whole resource's headers, lower-case names, hop-by-hop headers removed. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly source: ResourceSource;
  /** Size of the whole resource in bytes, if known yet. */
  readonly sizeBytes: number | undefined;
  /** SHA-256 of the whole resource, lower-case hexadecimal, if known yet. */
  readonly sha256: string | undefined;
  /**
   * The wanted bytes. Ends early only by throwing: a truncated or unverifiable source is never
   * passed off as complete. Must be read to its end or closed (`return()`).
   */
  readonly body: AsyncIterable<Uint8Array>;
  /**
   * Answers the same request once more, as `open` would, without a call; there where this process
   * holds a lease on the answer. `undefined` as soon as `open` has to be asked again. The headers
   * are the same list, not only an equal one, until something in them changes.
   */
  readonly again?: () => ResourceResponse | undefined;
}

/** How to reach an origin for an opaque tunnel. */
export interface OriginRoute {
  /** Addresses to try, all checked against the address rules. */
  readonly addresses: readonly string[];
  readonly port: number;
}

/** Who has a resource, or is downloading it. */
export interface FoundResource {
  readonly where: 'own' | 'peer' | 'downloading';
  /** The name of that node. */
  readonly node: string;
  readonly sizeBytes: number | undefined;
  /** Lower-case hexadecimal, if known. */
  readonly sha256: string | undefined;
}

/** Bytes of the plugin's own, to be shared with the LAN. */
export interface Publication {
  /** A URI of the manifest's `publishes`, for example `clamav:daily.cvd`. */
  readonly uri: string;
  readonly body: AsyncIterable<Uint8Array> | Uint8Array;
  /** How long others may use it, in milliseconds from now. */
  readonly lifetimeMs: number;
  readonly contentType?: string;
}

/** What was shared. */
export interface Published {
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A small upload, sent by this node or by the provider. */
export interface UploadRequest {
  readonly url: string;
  readonly method: 'POST' | 'PUT';
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** At most 1 MiB. */
  readonly body: Uint8Array;
}

/** What the server of an upload answered; the body is cut at 1 MiB. */
export interface UploadResponse {
  readonly status: number;
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly body: Uint8Array;
}

/** A packet of the plugin's own type. */
export interface Announcement {
  readonly name: string;
  readonly values: Readonly<Record<string, string>>;
  /** The name of the node that sent it, proved by its signature. */
  readonly from: string;
}

abstract class PeeringServiceBase {
  /**
   * Gets a resource: own store, else a peer, else the Internet, and shares it afterwards.
   * @throws CodedError `E_URL_INVALID`, `E_URL_NOT_GRANTED`, `E_ADDRESS_DENIED`,
   *   `E_ORIGIN_UNREACHABLE`, `E_DIGEST_MISMATCH`, `E_CANCELLED`
   */
  abstract open(request: ResourceRequest): Promise<ResourceResponse>;

  /**
   * Asks who has a resource, without getting it; `undefined` if nobody answers.
   * @throws CodedError `E_URL_INVALID`, `E_URL_NOT_GRANTED`
   */
  abstract find(
    request: Pick<ResourceRequest, 'url' | 'headers'>,
  ): Promise<FoundResource | undefined>;

  /**
   * Stores bytes of the plugin's own under a URI, vouched for by this node, and shares them.
   * @throws CodedError `E_PUBLISH_NOT_GRANTED`, `E_PUBLISH_INVALID`, `E_DISK_FULL`
   */
  abstract publish(publication: Publication): Promise<Published>;

  /**
   * Sends a small body to the Internet; where this node has none, through the provider.
   * @throws CodedError `E_UPLOAD_NOT_GRANTED`, `E_UPLOAD_TOO_LARGE`, `E_ADDRESS_DENIED`,
   *   `E_ORIGIN_UNREACHABLE`
   */
  abstract upload(request: UploadRequest): Promise<UploadResponse>;

  /**
   * Sends one signed packet to all nodes of the group: at most 8 values of 200 characters each,
   * names of lower-case letters, digits and dashes. It may be lost, like any packet.
   * @throws CodedError `E_ANNOUNCEMENT_INVALID`, `E_ANNOUNCEMENT_RATE`
   */
  abstract announce(name: string, values: Readonly<Record<string, string>>): Promise<void>;

  /** Hears what the same plugin on other nodes announces; never this node's own. */
  abstract onAnnouncement(listener: (announcement: Announcement) => void): Promise<Disposable>;

  /**
   * Checks that `host:port` may be connected to, and resolves it, for a tunnel that the plugin
   * carries itself.
   * @throws CodedError `E_URL_NOT_GRANTED`, `E_ADDRESS_DENIED`, `E_ORIGIN_UNREACHABLE`
   */
  abstract route(host: string, port: number): Promise<OriginRoute>;
}

/** Ask the LAN, else the Internet; inject it by type. */
export const PeeringService = sharedToken('PeeringService', PeeringServiceBase);
export type PeeringService = PeeringServiceBase;
