/**
 * Errands (PROTOCOL §5.5, §8.9): what a node without Internet has its provider do. Both ends judge
 * them: the plugin host of the provider says what its own plugin of that name may do.
 */

export interface ErrandRules {
  /** Whether this node's plugin `service` may get from, or send to, this address itself. */
  allows(service: string, url: string, kind: 'urls' | 'uploads'): boolean;
}

/** The path on the object server; members alone, POST alone. */
export const ERRAND_ROUTE = '/e/errand';
/** The header that says what is to be done: base64url of JSON. */
export const ERRAND_HEADER = 'peerage-errand';
/** Longest head in characters: the server takes 8 KiB of headers in all. */
export const ERRAND_HEAD_MAX = 6000;
/** Largest body of an upload, and of an answer, in bytes. */
export const ERRAND_BYTES_MAX = 1024 * 1024;
