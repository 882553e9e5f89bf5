/**
 * Requests for a part, and answers that carry one (RFC 9110 §14): a request for a far part of an
 * unknown resource is passed on as such, and what comes is taken only for what it says it is.
 */
import type { Ask } from './ask.js';
import type { OriginAnswer } from './origin.js';

/** From this first byte on a request for a later part goes to the origin as such. */
export const RANGE_DIRECT_BYTES = 4 * 1024 * 1024;

/** A request for a far part of an unknown resource is passed on as such. */
export function directRange(ask: Ask): Record<string, string> {
  if (!asksDirectly(ask)) return {};
  return { range: `bytes=${ask.startByte}-${ask.endByte === undefined ? '' : ask.endByte - 1}` };
}

function asksDirectly({ startByte }: Ask): boolean {
  return startByte >= RANGE_DIRECT_BYTES;
}

export interface Part {
  readonly firstByte: number;
  /** The byte after the last one. */
  readonly endByte: number;
  readonly totalBytes: number;
}

/** What part of the resource a 206 carries (RFC 9110 §14.4). */
export function partOf(answer: OriginAnswer): Part | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(
    answer.headers['content-range'] ?? '',
  );
  if (answer.status !== 206 || match === null) return undefined;
  const [firstByte = 0, lastByte = 0, totalBytes = 0] = match.slice(1).map(Number);
  if (firstByte > lastByte || lastByte >= totalBytes) return undefined;
  return { firstByte, endByte: lastByte + 1, totalBytes };
}

/** Whether a part holds all that was asked for. */
export function covers({ firstByte, endByte, totalBytes }: Part, ask: Ask): boolean {
  if (!asksDirectly(ask)) return firstByte === 0 && endByte === totalBytes;
  return firstByte <= ask.startByte && endByte >= Math.min(ask.endByte ?? totalBytes, totalBytes);
}

/** Whether others may share the download that this request starts, or it theirs. */
export function joinable(ask: Ask): boolean {
  return !ask.personal && ask.startByte < RANGE_DIRECT_BYTES;
}
