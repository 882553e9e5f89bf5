/** Which bytes of an object a peer asks for, by its Range header (RFC 9110 §14.2; one range only). */
import type { IncomingMessage, ServerResponse } from 'node:http';

const RANGE = /^bytes=(\d{1,15})-(\d{0,15})$/;

/** Bytes `start` to `end`, exclusive. */
export interface AskedPart {
  readonly start: number;
  readonly end: number;
}

/**
 * Sets status, length and range of an answer.
 * @returns the bytes to send; `unsatisfiable` if there are none such, and then nothing was set
 */
export function beginPart(
  request: IncomingMessage,
  response: ServerResponse,
  sizeBytes: number,
): AskedPart | 'unsatisfiable' {
  const range = RANGE.exec(request.headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const end = range?.[2] ? Math.min(Number(range[2]) + 1, sizeBytes) : sizeBytes;
  if (range !== null && start >= end) return 'unsatisfiable';
  response.statusCode = range === null ? 200 : 206;
  response.setHeader('content-length', end - start);
  if (range !== null) response.setHeader('content-range', `bytes ${start}-${end - 1}/${sizeBytes}`);
  return { start, end };
}
