/**
 * A file of the origin as the scenarios know it: its URL, its bytes, its digest.
 *
 * The URL states the digest as by-hash URLs do, so that it may be shared although the origin is
 * plain http; the origin makes the bytes from the seed, and so does this.
 */
import { content, contentSha256 } from './content.js';
import { ORIGIN_NAME } from './lan.js';
import type { Ranges } from './scenario.js';

export interface OriginFile {
  readonly url: string;
  /** The URL as the origin counts it. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly bytes: Buffer;
}

/** The file of this seed and size; with `range` off the origin serves it as a whole only. */
export function originFile(seed: string, sizeBytes: number, range: Ranges = 'on'): OriginFile {
  const sha256 = contentSha256(seed, sizeBytes);
  const query = range === 'on' ? '' : '?range=0';
  const path = `/bytes/${sizeBytes}/${seed}/by-hash/SHA256/${sha256}${query}`;
  const bytes = Buffer.concat([...content(seed, 0, sizeBytes)]);
  return { url: `http://${ORIGIN_NAME}${path}`, path, sizeBytes, sha256, bytes };
}
