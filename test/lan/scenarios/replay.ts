/**
 * `replay`: somebody recorded what a member said and says it again, from the member's own address.
 *
 * Half of it to the node that heard it first, half to the same node after it was killed and started
 * again, within the minute in which the packets' times are still good. Nothing may be acted on.
 */
import { GROUP_NAME, Ground, PACKET_PORT, sumOf } from '../attack/ground.js';
import type { FloodOrder, FloodResult } from '../attack/kinds.js';
import { launch } from '../attack/launch.js';
import { Caller } from '../attack/member.js';
import { missingForLan } from '../namespaces.js';
import { atLeast, equal, type Report } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';

/** In all, half before and half after the restart. */
const REPLAYS = 100_000;
const SHORT_REPLAYS = 10_000;
const PER_SECOND = 5000;
/** What is recorded: this many requests of one second. */
const RECORDED_PER_SECOND = 400;

export const replay: Scenario = {
  name: 'replay',
  summary: '100,000 recorded packets again, also after a restart: none is acted on',
  missing: missingForLan,
  run,
};

interface Replayed {
  readonly phase: string;
  readonly sent: number;
  readonly acted: number;
  readonly refusedAsReplay: number;
  readonly refusedForTime: number;
  /** Neither acted on nor seen: the kernel had no room for them. */
  readonly lost: number;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const replays = options.times ?? (options.short === true ? SHORT_REPLAYS : REPLAYS);
  const say = options.say ?? (() => undefined);
  const ground = await Ground.prepare(3);
  try {
    const caller = await Caller.prepare(ground);
    await ground.startVictim();
    say('a member asks, and is recorded');
    const called = await caller.call(1, RECORDED_PER_SECOND);
    const { lan } = await ground.status();
    const heard = lan.counters['received-request'] ?? 0;
    ground.lan.host(3).borrowAddress(ground.lan.host(2).address);
    say('the recording again');
    const before = await replayed(ground, caller, 'same run', replays / 2);
    say('the node is killed and starts again; the recording once more');
    await ground.victim.kill();
    await ground.startVictim();
    const after = await replayed(ground, caller, 'after a restart', replays / 2);
    say('and it still hears the member itself');
    const again = await caller.call(1);
    return report({ heard, sent: called.sent, again: again.answered / again.sent }, [
      before,
      after,
    ]);
  } finally {
    await ground.end();
  }
}

async function replayed(
  ground: Ground,
  caller: Caller,
  phase: string,
  count: number,
): Promise<Replayed> {
  const { lan } = ground;
  const before = (await ground.status()).lan.counters;
  const order: FloodOrder = {
    kind: 'recorded',
    address: lan.host(2).address,
    packetPort: PACKET_PORT,
    victimAddress: lan.host(1).address,
    group: GROUP_NAME,
    memberKid: caller.kid,
    recordFile: caller.recordFile,
    perSecond: PER_SECOND,
    seconds: count / PER_SECOND,
  };
  const { sent } = await launch<FloodResult>(lan.host(3), 'flood', order).result;
  const after = (await ground.status()).lan.counters;
  const grown = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
  const refused = sumOf(after, 'rejected-') - sumOf(before, 'rejected-');
  const acted = sumOf(after, 'received-') - sumOf(before, 'received-');
  return {
    phase,
    sent,
    acted,
    refusedAsReplay: grown('rejected-replay'),
    refusedForTime: grown('rejected-time'),
    lost: sent - refused - acted,
  };
}

function report(
  first: { readonly heard: number; readonly sent: number; readonly again: number },
  rows: readonly Replayed[],
): Report {
  const sent = rows.reduce((sum, row) => sum + row.sent, 0);
  const acted = rows.reduce((sum, row) => sum + row.acted, 0);
  const [before, after] = rows.map((row) => row.refusedAsReplay / row.sent);
  return {
    scenario: 'replay',
    options: { recorded: first.sent, replays: sent },
    rows: rows.map((row) => ({ ...row })),
    targets: [
      equal('recorded packets that were acted on when they were said', first.heard, first.sent),
      equal('replays acted on', acted, 0),
      atLeast('share refused as replays, same run', before ?? 0, 0.5),
      atLeast('share refused as replays, after a restart', after ?? 0, 0.5),
      atLeast('share of the member’s own calls answered after that', first.again, 0.99),
    ],
    notes: [
      '"lost" the kernel had no room for; "for time" came later than a minute after it was said',
    ],
  };
}
