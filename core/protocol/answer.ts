/**
 * The server's side of one request (§3): one instance per request heard, any number at once.
 *
 *   request ──► waiting ──(delay over)──► said ──(6 ms without end-request)──► repeated
 *                  └──────── end-request ──┴──────────────────────────────────► silent
 *
 * Invariants: a directed request is answered at once, always; a broadcast one only if there is a
 * copy; never more than two responses to one request, in the classic profile never more than one.
 */
import type { InstantMs } from '../base/time.js';
import type { Context } from './context.js';
import { ANSWER_MEMORY_MS, RESPONSE_REPEAT_MS } from './limits.js';
import type { Copy, Request, Response, Sender } from './message.js';
import { hashFraction, holderKey, responseDelayMs } from './timing.js';

export class Answer {
  private readonly context: Context;
  private readonly from: Sender;
  private readonly request: Request;
  private readonly copy: Copy;
  private readonly heardAt: InstantMs;
  private state: 'waiting' | 'said' | 'over';
  /** When this instance wants to be woken; for `over`, when it may be forgotten. */
  wakeAt: InstantMs;

  constructor(context: Context, now: InstantMs, from: Sender, request: Request, copy: Copy) {
    this.context = context;
    this.from = from;
    this.request = request;
    this.copy = copy;
    this.heardAt = now;
    const { sha256, kid, random } = context.options;
    const u = hashFraction(sha256(holderKey(from.kid, from.boot, request.id, kid)));
    const directed = request.to !== undefined;
    const delayMs = directed ? 0 : responseDelayMs(request.delay, u, random);
    this.state = 'waiting';
    this.wakeAt = now + delayMs;
    if (delayMs === 0) this.wake(now);
  }

  /** "I found" was heard: say nothing (more). */
  ended(now: InstantMs, source: string | undefined): void {
    if (source !== undefined) this.context.hints.add(this.request.href, source);
    if (this.state === 'waiting') this.context.counters.add('responses-suppressed');
    this.finish(now);
  }

  /** Returns false when the instance may be forgotten. */
  wake(now: InstantMs): boolean {
    if (this.state === 'over') return now < this.wakeAt;
    if (now < this.wakeAt) return true;
    const repeating = this.state === 'said';
    this.say(now);
    const classic = this.request.delay.distribution === 'uniform';
    if (repeating || classic || this.request.to !== undefined) this.finish(now);
    else {
      this.state = 'said';
      this.wakeAt = now + RESPONSE_REPEAT_MS;
    }
    return true;
  }

  private finish(now: InstantMs): void {
    this.state = 'over';
    this.wakeAt = now + ANSWER_MEMORY_MS;
  }

  private say(now: InstantMs): void {
    const message: Response = {
      type: 'response',
      service: this.request.service,
      id: this.request.id,
      copy: this.copy,
      waitedMs: Math.round(now - this.heardAt),
      nonce: this.request.nonce,
      to: this.from.kid,
    };
    this.context.counters.add('responses-sent');
    if (this.context.options.broadcastResponses && this.request.to === undefined) {
      this.context.emit({ kind: 'broadcast', message });
    } else {
      const introduce = !(this.context.members.get(this.from.kid)?.acquainted ?? false);
      this.context.emit({ kind: 'send', to: this.from.address, introduce, message });
    }
  }
}
