/** What a node says in an election when it does not provide: claims, offers, probes (§8.3-§8.7). */
import type { Context } from './context.js';
import type { Criterion } from './election-criteria.js';
import type { ElectionMessage, Sender } from './message.js';

export interface VoiceScope {
  readonly context: Context;
  readonly service: string;
}

/** "I stand for provider." */
export function sayClaim(
  { context, service }: VoiceScope,
  epoch: number,
  criteria: readonly Criterion[],
  open: boolean,
): void {
  const message = { type: 'election', service, epoch, criteria, open } as const;
  context.emit({ kind: 'broadcast', message });
}

/** "I could be your backup." */
export function sayStandby(
  scope: VoiceScope,
  epoch: number,
  criteria: readonly Criterion[],
  to: Sender,
): void {
  const { service } = scope;
  direct(scope, to, { type: 'standby', service, epoch, criteria, to: to.kid });
}

/** "Are you alive?", or the answer to it. */
export function sayAlive(scope: VoiceScope, epoch: number, to: Sender, ask: boolean): void {
  const { service } = scope;
  direct(scope, to, { type: 'alive', service, epoch, ask, intervalMs: 0, to: to.kid });
}

function direct({ context }: VoiceScope, to: Sender, message: ElectionMessage): void {
  const introduce = !(context.members.get(to.kid)?.acquainted ?? false);
  context.emit({ kind: 'send', to: to.address, introduce, message });
}
