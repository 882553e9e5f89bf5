/**
 * `flood`: hostile packets, one kind at a time, beside a member that asks.
 *
 * The attacker has a host of his own on the same LAN; for recorded packets he sends from the
 * member's address. What counts: the member is answered as if nothing was, the attacker never is.
 */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { GROUP_NAME, Ground, PACKET_PORT } from '../attack/ground.js';
import {
  type CallerResult,
  FLOODS,
  type Flood,
  type FloodOrder,
  type FloodResult,
} from '../attack/kinds.js';
import { launch } from '../attack/launch.js';
import { Caller } from '../attack/member.js';
import { missingForLan } from '../namespaces.js';
import { atLeast, equal, type Report, rounded } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';

const FLOOD_PER_SECOND = 10_000;
/** Of each kind; the short form is for the test command. */
const SECONDS = 10;
const SHORT_SECONDS = 2;
/** Calls that must be answered; a flood that reaches less than its share says little. */
const SHARES = { answered: 0.99, reached: 0.9 };
/** Where tests run the machine is busy with other things as well. */
const SHORT_SHARES = { answered: 0.8, reached: 0.5 };

export const flood: Scenario = {
  name: 'flood',
  summary: '10,000 hostile packets/s of five kinds beside 50 calls/s of a member',
  missing: missingForLan,
  run,
};

interface Flooded {
  readonly kind: Flood | 'none';
  readonly called: CallerResult;
  readonly flooded: FloodResult;
  readonly cpuShare: number;
  readonly loopDelayMs: number;
  /** Calls that the victim accepted, by its own count. */
  readonly accepted: number;
  /** Responses that the victim sent beyond the requests that it accepted. */
  readonly sentElse: number;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const short = options.short === true;
  const seconds = options.seconds ?? (short ? SHORT_SECONDS : SECONDS);
  const say = options.say ?? (() => undefined);
  say('a node, a member that asks it, and an attacker');
  const ground = await Ground.prepare(3);
  try {
    const caller = await Caller.prepare(ground);
    await ground.startVictim();
    // What is recorded now is old when it comes back, and was acted on.
    const recorded = join(ground.lan.host(2).directory, 'old');
    await caller.call(1);
    renameSync(caller.recordFile, recorded);
    ground.lan.host(3).borrowAddress(ground.lan.host(2).address);
    const rows: Flooded[] = [];
    for (const kind of ['none', ...FLOODS] as const) {
      say(`${seconds} s of ${kind}`);
      rows.push(await floodWith(ground, caller, { kind, recordFile: recorded, seconds }));
    }
    return report(rows, seconds, short ? SHORT_SHARES : SHARES);
  } finally {
    await ground.end();
  }
}

async function floodWith(
  ground: Ground,
  caller: Caller,
  { kind, recordFile, seconds }: { kind: Flood | 'none'; recordFile: string; seconds: number },
): Promise<Flooded> {
  const { lan } = ground;
  const before = await ground.status();
  await ground.loopDelayMs();
  const [cpu, startedAt] = [ground.cpuSeconds(), performance.now()];
  const order: Omit<FloodOrder, 'kind'> = {
    address: lan.host(kind === 'recorded' ? 2 : 3).address,
    packetPort: PACKET_PORT,
    victimAddress: lan.host(1).address,
    group: GROUP_NAME,
    memberKid: caller.kid,
    recordFile,
    perSecond: FLOOD_PER_SECOND,
    seconds,
  };
  const nothing: FloodResult = { sent: 0, perSecond: 0, replies: 0 };
  const [called, flooded] = await Promise.all([
    caller.call(seconds),
    kind === 'none'
      ? nothing
      : launch<FloodResult>(lan.host(3), 'flood', { ...order, kind }).result,
  ]);
  const cpuShare = (ground.cpuSeconds() - cpu) / ((performance.now() - startedAt) / 1000);
  const loopDelayMs = await ground.loopDelayMs();
  const after = await ground.status();
  const grown = (name: string) =>
    (after.lan.counters[name] ?? 0) - (before.lan.counters[name] ?? 0);
  const accepted = grown('received-request');
  const sentElse = grown('sent-response') - accepted;
  return { kind, called, flooded, accepted, cpuShare, loopDelayMs, sentElse };
}

function report(rows: readonly Flooded[], seconds: number, shares: typeof SHARES): Report {
  const share = ({ called, accepted }: Flooded) => accepted / called.sent;
  const hostile = rows.filter(({ kind }) => kind !== 'none');
  const replies = hostile.reduce((sum, { flooded }) => sum + flooded.replies, 0);
  const slowest = Math.min(...hostile.map(({ flooded }) => flooded.perSecond));
  return {
    scenario: 'flood',
    options: { seconds, hostilePerSecond: FLOOD_PER_SECOND },
    rows: rows.map((row) => ({
      kind: row.kind,
      hostilePerSecond: row.flooded.perSecond,
      calls: row.called.sent,
      accepted: row.accepted,
      answered: row.called.answered,
      replies: row.flooded.replies,
      cpuPercent: rounded(row.cpuShare * 100),
      loopDelayP99Ms: rounded(row.loopDelayMs),
    })),
    targets: [
      atLeast(
        'hostile packets per second, the slowest kind',
        slowest,
        FLOOD_PER_SECOND * shares.reached,
      ),
      ...hostile.map((row) => {
        return atLeast(`share of calls accepted beside ${row.kind}`, share(row), shares.answered);
      }),
      equal('datagrams that came back to the attacker', replies, 0),
      equal(
        'responses beyond the requests that were accepted',
        hostile.reduce((sum, { sentElse }) => sum + Math.max(0, sentElse), 0),
        0,
      ),
    ],
    notes: [
      'CPU and delay are of the whole process of the attacked node, calls included; it goes before',
      'the attacker on the processor that they share. What the kernel drops for lack of buffer is lost:',
      'set net.core.rmem_max to 4194304 on machines that may be flooded.',
    ],
  };
}
