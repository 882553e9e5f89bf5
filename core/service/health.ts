/**
 * Whether this node does its job, for monitors and the service manager: a list of checks, each
 * with what is wrong. The node is healthy if none fails.
 */
import type { PeeringStatus, PluginStatus } from '../ports/ports.js';

export interface HealthCheck {
  readonly name: 'certificate' | 'interface' | 'plugins' | 'event-loop';
  readonly ok: boolean;
  readonly detail: string;
}

export interface Health {
  readonly healthy: boolean;
  readonly checks: readonly HealthCheck[];
}

/** An event loop that was later than this is no longer of use to clients. */
const LOOP_DELAY_SECONDS_MAX = 5;

export function judgeHealth(facts: {
  readonly solo: boolean;
  readonly certificateEnds: string;
  readonly lan: PeeringStatus;
  readonly plugins: readonly PluginStatus[];
  readonly loopDelaySeconds: number;
  readonly now: number;
}): Health {
  const { solo, lan, certificateEnds: ends, plugins, loopDelaySeconds: late } = facts;
  const failing = plugins.filter(({ state }) => state === 'quarantined' || state === 'restarting');
  const names = failing.map(({ id, state }) => `${id} is ${state}`).join(', ');
  const interfaces = lan.interfaces.join(', ');
  const checks: HealthCheck[] = [
    { name: 'certificate', ok: Date.parse(ends) > facts.now, detail: `good until ${ends}` },
    {
      name: 'interface',
      ok: solo || lan.interfaces.length > 0,
      detail: solo ? 'none is needed: a group of one' : interfaces || 'no LAN interface is up',
    },
    { name: 'plugins', ok: failing.length === 0, detail: names || `${plugins.length} in order` },
    {
      name: 'event-loop',
      ok: late < LOOP_DELAY_SECONDS_MAX,
      detail: `at most ${late.toFixed(3)} s late`,
    },
  ];
  return { healthy: checks.every(({ ok }) => ok), checks };
}
