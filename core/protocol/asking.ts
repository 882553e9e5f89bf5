/** The packets of a search: "I need" to everybody or to one, and "I found" (PROTOCOL §4). */
import type { Context } from './context.js';
import type { Member } from './members.js';
import type { DelayRule, EndRequest, Request } from './message.js';
import type { Want } from './search.js';

/** What makes one search known from another. */
export interface Asking {
  readonly id: number;
  readonly nonce: string;
  readonly want: Want;
}

/** A directed request is answered at once. */
const AT_ONCE: DelayRule = { distribution: 'exponential', windowMs: 0, peers: 1 };

/** Asks one peer by name (§4.2). */
export function askOne(context: Context, asking: Asking, member: Member): void {
  const message = requestOf(context, asking, AT_ONCE, member.kid);
  context.counters.add('requests-directed');
  context.emit({ kind: 'send', to: member.address, introduce: !member.acquainted, message });
}

/** Asks everybody, to answer within a window (§4.4). */
export function askAll(context: Context, asking: Asking, windowMs: number): void {
  const { options, members } = context;
  const rule: DelayRule = {
    distribution: options.profile === 'classic' ? 'uniform' : 'exponential',
    windowMs: Math.round(windowMs * 1000) / 1000,
    peers: members.peers,
  };
  context.emit({ kind: 'broadcast', message: requestOf(context, asking, rule) });
}

/** "I found" (§4.4), with the node it was found at. */
export function sayFound(context: Context, { id, want }: Asking, source: string | undefined): void {
  const { service } = want;
  const named = source === undefined ? {} : { source };
  const message: EndRequest = { type: 'end-request', service, id, ...named };
  context.emit({ kind: 'broadcast', message });
}

function requestOf(
  { options }: Context,
  { id, nonce, want }: Asking,
  delay: DelayRule,
  to?: string,
): Request {
  const { service, href, variant, stale, ageMaxMs } = want;
  return {
    type: 'request',
    id,
    ...{ service, href, variant },
    cachedOnly: true,
    stale,
    ...(ageMaxMs === undefined ? {} : { ageMaxMs }),
    internet: options.internet && options.server,
    delay,
    nonce,
    ...(to === undefined ? {} : { to }),
  };
}
