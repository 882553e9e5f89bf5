/**
 * `slowloris`: connections that are held open by saying next to nothing.
 *
 * A thousand of them, six kinds, from sixteen addresses, while a member asks for something on a new
 * connection each time. Every one of the thousand must be gone within five seconds of its beginning.
 */
import { setPriority } from 'node:os';
import { Ground, OBJECT_PORT, sumOf } from '../attack/ground.js';
import type {
  SlowlorisOrder,
  SlowlorisResult,
  VisitorOrder,
  VisitorResult,
} from '../attack/kinds.js';
import { launch } from '../attack/launch.js';
import { missingForLan } from '../namespaces.js';
import { atMost, equal, type Report, rounded } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';

const CONNECTIONS = 1000;
const ADDRESSES = 16;
/** In this time all are opened. */
const OPENING_SECONDS = 5;
const LIFE_SECONDS_MAX = 5;
const VISIT_SECONDS_MAX = 2;
const VISIT_SECONDS = 11;

export const slowloris: Scenario = {
  name: 'slowloris',
  summary: '1,000 connections that say next to nothing are gone in 5 s, a member is served',
  missing: missingForLan,
  run,
};

async function run(options: ScenarioOptions): Promise<Report> {
  const say = options.say ?? (() => undefined);
  const ground = await Ground.prepare(3);
  try {
    const identityFile = await ground.identityFile('visitor');
    // A revocation, so that there is a group policy to be asked for.
    await ground.victim.ask('ca', 'revoke', 'nobody', '--force');
    await ground.startVictim();
    const [victim, member, attacker] = ground.hosts;
    if (victim === undefined || member === undefined || attacker === undefined)
      throw new Error('hosts');
    const addresses = Array.from({ length: ADDRESSES }, (_, index) => `10.77.0.${100 + index}`);
    attacker.addAddresses(addresses);
    const { kid } = await ground.status();
    const place = { host: victim.address, port: OBJECT_PORT };
    say(`${CONNECTIONS} connections from ${ADDRESSES} addresses, and a member that asks`);
    const attack: SlowlorisOrder = {
      ...place,
      kid,
      addresses,
      connections: CONNECTIONS,
      seconds: OPENING_SECONDS,
      waitMs: (LIFE_SECONDS_MAX + 0.5) * 1000,
    };
    const visits: VisitorOrder = {
      ...place,
      identityFile,
      path: '/g/policy',
      seconds: VISIT_SECONDS,
    };
    const visitor = launch<VisitorResult>(member, 'visitor', visits);
    // The member would have a machine of its own.
    if (visitor.program.child.pid !== undefined) setPriority(visitor.program.child.pid, -10);
    const [held, visited] = await Promise.all([
      launch<SlowlorisResult>(attacker, 'slowloris', attack).result,
      visitor.result,
    ]);
    const { uploads } = await ground.status();
    return report(held, visited, sumOf(uploads, 'connections-cut-'));
  } finally {
    await ground.end();
  }
}

function report(held: SlowlorisResult, visited: VisitorResult, cut: number): Report {
  return {
    scenario: 'slowloris',
    options: { connections: held.opened, addresses: ADDRESSES },
    rows: Object.entries(held.byKind).map(([kind, lifeMs]) => ({ kind, longestMs: lifeMs })),
    targets: [
      equal('connections opened', held.opened, CONNECTIONS),
      equal('connections left at the end', held.left, 0),
      atMost('longest life of one, seconds', held.longestMs / 1000, LIFE_SECONDS_MAX),
      equal('visits of the member that were not served', visited.visits - visited.served, 0),
      atMost('99 % of the visits took at most, seconds', visited.p99Ms / 1000, VISIT_SECONDS_MAX),
    ],
    notes: [
      `visits: ${visited.visits}, half within ${visited.p50Ms} ms, the slowest ${visited.maxMs} ms`,
      `connections that the node cut to make room or for their age: ${rounded(cut)}`,
    ],
  };
}
