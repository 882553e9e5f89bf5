/**
 * `failover`: the provider's process is killed, and separately its host loses the LAN, again and
 * again, while the others keep asking. Measured is the time until all others, by their own logs,
 * have the backup for their provider.
 */
import { createHash } from 'node:crypto';
import { agreed, electing, nodeNamed, toldAt } from '../election.js';
import { Group } from '../group.js';
import { Lan, ORIGIN_NAME } from '../lan.js';
import type { PeerageNode } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atMost, equal, type Report, type Row } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { until } from '../until.js';

const LINE_RATE_KBIT = 50_000;
const RUNS = 20;
const DEADLINE_MS = 20_000;
/** An absent file, asked for so that the LAN counts as busy. */
const ABSENT = `http://${ORIGIN_NAME}/absent`;

export const failover: Scenario = {
  name: 'failover',
  summary: "the provider's process is killed, its host cut off: the backup provides at once",
  missing: missingForOrigin,
  run,
};

type Death = 'process' | 'host';

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = 4, runs = RUNS } = options;
  const say = options.say ?? (() => undefined);
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT });
  const group = Group.on(lan.hosts, () => ({ ...electing(), plugins: false }));
  const times: Record<Death, number[]> = { process: [], host: [] };
  let agreedAgain = 0;
  try {
    await OriginService.start(lan.origin, { tls: false });
    await group.start();
    for (let i = 0; i < runs; i += 1) {
      for (const death of ['process', 'host'] as const) {
        const tookMs = await once(group, lan, death, i);
        say(`${death} ${i + 1}: ${tookMs} ms`);
        times[death].push(tookMs);
        agreedAgain += 1;
      }
    }
  } finally {
    group.saveLogs(options.logsDirectory);
    await group.stop();
    lan.dispose();
  }
  const rows: Row[] = (['process', 'host'] as const).map((death) => {
    const sorted = [...times[death]].sort((a, b) => a - b);
    const p50Ms = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
    return { death, runs: sorted.length, p50Ms, worstMs: sorted.at(-1) ?? Number.NaN };
  });
  const [killed, cut] = rows;
  return {
    scenario: 'failover',
    options: { hosts, runs },
    rows,
    targets: [
      atMost('process killed: others told, p50 ms', Number(killed?.['p50Ms']), 100),
      atMost('host cut off: others told, p50 ms', Number(cut?.['p50Ms']), 250),
      atMost('host cut off: others told, worst ms', Number(cut?.['worstMs']), 1000),
      equal('deaths after which all agreed again', agreedAgain, 2 * runs),
    ],
    notes: [`process: ${times.process.join(' ')} ms; host: ${times.host.join(' ')} ms`],
  };
}

/** One death and the recovery from it; the time until all others were told, in milliseconds. */
async function once(group: Group, lan: Lan, death: Death, number: number): Promise<number> {
  const before = await agreed(group.nodes, ({ backup }) => backup !== undefined);
  const provider = nodeNamed(group, before.provider?.node);
  const backup = before.backup?.node ?? '';
  const others = group.nodes.filter((node) => node !== provider);
  await stir(others, `${death}${number}`);
  const host = lan.hosts.find(({ name }) => name === provider.place.name);
  const atMs = Date.now();
  if (death === 'process') process.kill(provider.pid, 'SIGKILL');
  else host?.linkDown();
  const told = await until('the others know the backup', DEADLINE_MS, async () => {
    const moments = others.map((node) => toldAt(node, backup, atMs));
    return moments.includes(undefined) ? undefined : (moments as number[]);
  });
  if (death === 'process') {
    await provider.kill();
    await provider.start();
  } else host?.linkUp();
  return Math.max(...told) - atMs;
}

/** Something is asked for (what has a digest may come from peers): everything goes quickly. */
async function stir(nodes: readonly PeerageNode[], name: string): Promise<void> {
  const sha256 = createHash('sha256').update(name).digest('hex');
  const get = ['get', `${ABSENT}/${name}`, '--sha256', sha256];
  await Promise.all(nodes.slice(0, 2).map((node) => node.command(...get)));
}
