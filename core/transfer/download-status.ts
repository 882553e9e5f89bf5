/** A download in progress as people see it; read by `downloads`, by a plugin's progress, by the CLI. */
import type { InstantMs } from '../base/time.js';
import type { DownloadStatus } from '../ports/ports.js';
import type { Flight } from './flight.js';

/** Bytes per second since it began. */
export function rateOf({ receivedBytes, options }: Flight, now: InstantMs): number {
  return Math.round((receivedBytes * 1000) / Math.max(1, now - options.startedAt));
}

export function downloadStatus(flight: Flight, now: InstantMs): DownloadStatus {
  const { options, source, from, receivedBytes, totalBytes } = flight;
  const bytesPerSecond = rateOf(flight, now);
  const missing = totalBytes === undefined ? undefined : totalBytes - receivedBytes;
  const known = missing !== undefined && bytesPerSecond > 0;
  return {
    url: options.url,
    service: options.service,
    source,
    from,
    receivedBytes,
    totalBytes,
    bytesPerSecond,
    startedMsAgo: Math.round(now - options.startedAt),
    follows: followed(flight),
    leftMs: known ? Math.round((missing * 1000) / bytesPerSecond) : undefined,
  };
}

/** The node that is downloading it, as its signed head says; until that is there, whom we asked. */
function followed({ source, from, track, expectedSha256 }: Flight): string | undefined {
  // A copy has a digest from the start; what is followed has none yet.
  if (source !== 'peer' || expectedSha256 !== undefined) return undefined;
  return track.heads.at(-1)?.signer ?? from;
}
