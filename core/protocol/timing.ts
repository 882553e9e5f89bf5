/**
 * The formulas of time (§4.2, §4.4): windows, delays, deadlines, and the estimate of the round
 * trip. Pure arithmetic; the same functions serve both sides of a request.
 */
import type { Random } from '../base/random.js';
import {
  DEADLINE_SLACK_MS,
  DIRECTED_WAIT_MIN_MS,
  DIRECTED_WAIT_SLACK_MS,
  ROUND_TRIP_MAX_MS,
  ROUND_TRIP_MIN_MS,
  ROUND_TRIP_SAMPLES,
  WINDOW_MIN_MS,
} from './limits.js';
import type { DelayRule } from './message.js';

/** SHA-256 of a text, as bytes; passed in so that the heart needs no cryptography of its own. */
export type Sha256 = (text: string) => Uint8Array;

/** T = max(5, 2R(1 + ln n)) ms (§4.4). */
export function responseWindowMs(roundTripMs: number, peers: number): number {
  return Math.max(WINDOW_MIN_MS, 2 * roundTripMs * (1 + Math.log(Math.max(1, peers))));
}

/** The client's deadline max(T + 12, 2R + 12) ms (§4.4). */
export function deadlineMs(windowMs: number, roundTripMs: number): number {
  return Math.max(windowMs + DEADLINE_SLACK_MS, 2 * roundTripMs + DEADLINE_SLACK_MS);
}

/** How long one candidate has to answer a directed request: max(5, R + 3) ms (§4.2). */
export function directedWaitMs(roundTripMs: number): number {
  return Math.max(DIRECTED_WAIT_MIN_MS, roundTripMs + DIRECTED_WAIT_SLACK_MS);
}

/** The first 53 bits of a hash as a number in [0, 1). */
export function hashFraction(hash: Uint8Array): number {
  const view = new DataView(hash.buffer, hash.byteOffset, 8);
  return (view.getUint32(0) * 2097152 + (view.getUint32(4) >>> 11)) / 9007199254740992;
}

/** The text whose hash orders holders for one request (§4.2, §4.4). */
export function holderKey(requester: string, boot: string, id: number, holder: string): string {
  return `${requester}|${boot}|${id}|${holder}`;
}

/** t = (T/L)·ln(1 + u(e^L − 1)), L = ln n + 1: few answer early, most would answer late (§4.4). */
export function truncatedExponentialMs(u: number, windowMs: number, peers: number): number {
  const rate = Math.log(Math.max(1, peers)) + 1;
  return (windowMs / rate) * Math.log(1 + u * (Math.exp(rate) - 1));
}

/**
 * The delay before a holder answers, drawn as the packet demands (§1.4).
 * @param u position in [0, 1): the holder's hash for this request
 */
export function responseDelayMs(rule: DelayRule, u: number, random: Random): number {
  if (rule.distribution === 'uniform') return random.fraction() * rule.windowMs;
  return truncatedExponentialMs(u, rule.windowMs, rule.peers);
}

/**
 * The LAN round trip R from answered requests (§4.4): the smoothed mean for windows, and a cautious
 * bound (mean + 2 × deviation, or the worst of the last samples) for deadlines. The filters are
 * those of RFC 6298.
 */
export class RoundTrip {
  private smoothed: number | undefined;
  private variation = 0;
  private readonly recent: number[] = [];
  private readonly initialMs: number;

  constructor(initialMs: number) {
    this.initialMs = initialMs;
  }

  sample(elapsedMs: number): void {
    const value = Math.max(0, Math.min(elapsedMs, ROUND_TRIP_MAX_MS));
    this.recent.push(value);
    if (this.recent.length > ROUND_TRIP_SAMPLES) this.recent.shift();
    if (this.smoothed === undefined) {
      this.smoothed = value;
      this.variation = value / 2;
      return;
    }
    this.variation += (Math.abs(this.smoothed - value) - this.variation) / 4;
    this.smoothed += (value - this.smoothed) / 8;
  }

  /** What windows are made of: the mean, between 1 and 50 ms. */
  get estimateMs(): number {
    return clamp(this.smoothed ?? this.initialMs);
  }

  /** What deadlines are made of: a busy receiver may be slow now and then. */
  get cautiousMs(): number {
    const raw = this.smoothed === undefined ? this.initialMs : this.smoothed + 2 * this.variation;
    return Math.max(clamp(raw), ...this.recent);
  }
}

function clamp(roundTripMs: number): number {
  return Math.min(ROUND_TRIP_MAX_MS, Math.max(ROUND_TRIP_MIN_MS, roundTripMs));
}
