/**
 * `Cache-Status` (RFC 9211): for every answer, whether the LAN was spared a download, and why not.
 */
import type { ResourceSource } from '@peerage/sdk';

export const CACHE_STATUS_HEADER = 'cache-status';

const BY_SOURCE: Readonly<Record<ResourceSource, string>> = {
  hit: 'hit',
  peer: 'fwd=uri-miss; detail=peer',
  origin: 'fwd=uri-miss; detail=origin',
  collapsed: 'fwd=uri-miss; collapsed',
  revalidated: 'fwd=stale; detail=revalidated',
  stale: 'hit; detail=stale',
};

/** Of a resource that the core delivered. */
export function statusOfSource(source: ResourceSource): string {
  return `peerage; ${BY_SOURCE[source]}`;
}

/** Of a request that was carried to the origin uncached: RFC 9211's reason, and a detail. */
export function statusOfForward(reason: 'method' | 'request' | 'bypass', detail?: string): string {
  return `peerage; fwd=${reason}${detail === undefined ? '' : `; detail=${detail}`}`;
}

/** Of an answer that this proxy made itself: one of its pages, or a refusal. */
export function statusOfOwn(detail: string): string {
  return `peerage; detail=${detail}`;
}

/** The header with our entry after those of caches nearer to the origin. */
export function extendedStatus(upstream: string | undefined, mine: string): string {
  return upstream === undefined || upstream === '' ? mine : `${upstream}, ${mine}`;
}
