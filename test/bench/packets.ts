/**
 * `bench -- packets`: what a signed packet costs its sender and its receiver, and what is refused
 * costs the gate. One process, no network: bytes in, verdict out.
 */
import { randomBytes } from 'node:crypto';
import { type Report, type Row, rounded } from '../lan/report.js';
import { quantile } from '../sim/statistics.js';
import {
  certificateText,
  GROUP,
  MESSAGES,
  makeStage,
  ON_LINK,
  openerFor,
  SENDER_ADDRESS,
  sealerFor,
  WALL_MS,
} from '../wire/stage.js';
import type { Bench, BenchOptions } from './bench.js';

const ROUNDS = 3;

/** One measured thing: runs so often, is given the number of the run. */
interface Work {
  readonly what: string;
  readonly prepare: (count: number) => (index: number) => void;
}

export const packets: Bench = {
  name: 'packets',
  summary: 'packets a second through gate and verification, processor time of each',
  missing: () => undefined,
  run,
};

async function run({ tiny, say }: BenchOptions): Promise<Report> {
  const count = tiny ? 50 : 1000;
  const rows: Row[] = [];
  for (const { what, prepare } of works()) {
    const costs: number[] = [];
    for (let round = 0; round < (tiny ? 1 : ROUNDS); round += 1) {
      const work = prepare(count);
      const start = process.cpuUsage();
      for (let index = 0; index < count; index += 1) work(index);
      const { user, system } = process.cpuUsage(start);
      costs.push((user + system) / count);
    }
    const cost = quantile(costs, 0.5);
    rows.push({ what, 'CPU us': rounded(cost), 'a second on one core': Math.round(1e6 / cost) });
    say(`${what}: ${rounded(cost)} us`);
  }
  return {
    scenario: 'packets',
    options: { count, rounds: tiny ? 1 : ROUNDS },
    rows,
    targets: [],
    notes: ['medians of processor time; a round is a fresh opener, so nothing is cached between'],
  };
}

function works(): Work[] {
  const { sender, keyring, receiver } = makeStage();
  const request = MESSAGES['lean request'];
  const hello = MESSAGES['hello'];
  if (request === undefined || hello === undefined) throw new Error('the stage has no samples');
  const datagrams = (count: number): Buffer[] => {
    const sealer = sealerFor(sender);
    return Array.from({ length: count }, () => {
      return sealer.seal(request, SENDER_ADDRESS, WALL_MS, false) ?? Buffer.alloc(0);
    });
  };
  const opening = (change: (bytes: Buffer) => Buffer, ok: boolean) => (count: number) => {
    const all = datagrams(count).map(change);
    const opener = openerFor(receiver, keyring);
    return (index: number) => {
      const bytes = all[index] ?? Buffer.alloc(0);
      // A millisecond apart, so that no sender's budget of verifications runs out.
      const verdict = opener.open(bytes, ON_LINK, index, WALL_MS);
      if (verdict.ok !== ok) throw new Error(`a packet was ${verdict.ok ? 'taken' : 'refused'}`);
    };
  };
  const text = certificateText(sender);
  return [
    {
      what: 'seal a request',
      prepare: () => {
        const sealer = sealerFor(sender);
        return () => void sealer.seal(request, SENDER_ADDRESS, WALL_MS, false);
      },
    },
    {
      what: `seal a hello with a certificate of ${text.length} characters`,
      prepare: () => {
        const sealer = sealerFor(sender);
        return () => void sealer.seal(hello, SENDER_ADDRESS, WALL_MS, true);
      },
    },
    { what: 'open a request', prepare: opening((bytes) => bytes, true) },
    { what: 'refuse noise', prepare: opening(({ length }) => randomBytes(length), false) },
    { what: 'refuse another group', prepare: opening(inAnotherGroup, false) },
    { what: 'refuse a broken signature', prepare: opening(withBrokenSignature, false) },
  ];
}

/** As it stands in the packet, so that only the gate has to be passed to see it. */
function inAnotherGroup(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1').replace(`group="${GROUP}"`, `group="${GROUP}x"`);
  return Buffer.from(text, 'latin1');
}

/** The time of sending changed by a second: everything fits but the signature. */
function withBrokenSignature(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1').replace(`ts="${WALL_MS}"`, `ts="${WALL_MS + 1000}"`);
  return Buffer.from(text, 'latin1');
}
