/**
 * The services that the core injects into plugins.
 *
 * A plugin names them by type in its constructor. Each already knows which plugin calls: every
 * call is checked in the core against the manifest and the admin's grant (`E_URL_NOT_GRANTED`).
 */
import { sharedToken } from './injection.js';
import type { CancellationSignal } from './lifecycle.js';

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

/** A request for a resource. */
export interface ResourceRequest {
  /** Absolute `http:` or `https:` URL; a fragment is ignored. */
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
}

/** How to reach an origin for an opaque tunnel. */
export interface OriginRoute {
  /** Addresses to try, all checked against the address rules. */
  readonly addresses: readonly string[];
  readonly port: number;
}

abstract class PeeringServiceBase {
  /**
   * Gets a resource: own store, else a peer, else the Internet, and shares it afterwards.
   * @throws CodedError `E_URL_INVALID`, `E_URL_NOT_GRANTED`, `E_ADDRESS_DENIED`,
   *   `E_ORIGIN_UNREACHABLE`, `E_DIGEST_MISMATCH`, `E_CANCELLED`
   */
  abstract open(request: ResourceRequest): Promise<ResourceResponse>;

  /**
   * Checks that `host:port` may be connected to, and resolves it, for a tunnel that the plugin
   * carries itself.
   * @throws CodedError `E_URL_NOT_GRANTED`, `E_ADDRESS_DENIED`, `E_ORIGIN_UNREACHABLE`
   */
  abstract route(host: string, port: number): Promise<OriginRoute>;
}

/** The designated provider of a service (PROTOCOL §8). */
export interface Provider {
  readonly node: string;
  readonly isSelf: boolean;
}

abstract class ElectionServiceBase {
  /** The current provider of this plugin's service; `undefined` while nobody is elected. */
  abstract provider(): Promise<Provider | undefined>;
}

/** Ask the LAN, else the Internet; inject it by type. */
export const PeeringService = sharedToken('PeeringService', PeeringServiceBase);
export type PeeringService = PeeringServiceBase;

/** Who is the designated provider; inject it by type. */
export const ElectionService = sharedToken('ElectionService', ElectionServiceBase);
export type ElectionService = ElectionServiceBase;
