/**
 * `holder`: one host has a large object, all others want it at the same moment.
 *
 * One transfer between two hosts shows what a link can do; sent to each in turn it would take that
 * long as often as there are hosts. Target: the last has it within twice the time of one. Nodes run
 * without plugins and are asked on their local sockets, as in `crowd`.
 */
import { type Crowd, clientRows, crowdTakes, throughNodes } from '../crowd.js';
import { Group } from '../group.js';
import { Lan } from '../lan.js';
import { type OriginFile, originFile } from '../origin-file.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atMost, equal, type Report, rounded } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';

const HOSTS = 16;
/** The line is no part of what is measured. */
const LINE_RATE_KBIT = 1_000_000;
const LINK_RATE_KBIT = 50_000;
const SIZE_BYTES = 50_000_000;
const RATIO_MAX = 2;

export const holder: Scenario = {
  name: 'holder',
  summary:
    'one host holds an object, all others want it: the last has it within twice one transfer',
  missing: missingForOrigin,
  run,
};

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = HOSTS, sizeBytes = SIZE_BYTES } = options;
  const say = options.say ?? (() => undefined);
  say(`${hosts} hosts, links ${LINK_RATE_KBIT} kbit/s`);
  const rates = { internetRateKbit: LINE_RATE_KBIT, linkRateKbit: LINK_RATE_KBIT };
  const lan = Lan.create({ hosts, ...rates });
  const group = Group.on(lan.hosts, () => ({ plugins: false }));
  try {
    const origin = await OriginService.start(lan.origin);
    await group.start();
    const taken = (numbers: readonly number[], file: OriginFile) => {
      const places = numbers.map((number) => lan.host(number));
      return crowdTakes(places, file, throughNodes(numbers.map((number) => group.node(number))));
    };
    const all = lan.hosts.map((_, index) => index + 1);
    const files = ['one', 'many'].map((seed) => originFile(seed, sizeBytes));
    for (const file of files) await taken([1], file);
    await origin.reset();
    const [first, second] = files as [OriginFile, OriginFile];
    say('one transfer');
    const one = await taken([2], first);
    say(`${hosts - 1} at once`);
    const crowd = await taken(all.slice(1), second);
    const { total } = await origin.reset();
    return report({ hosts, sizeBytes, ...rates }, one, crowd, total.bodyBytes);
  } finally {
    group.saveLogs(options.logsDirectory);
    await group.stop();
    lan.dispose();
  }
}

function report(
  options: Report['options'] & { hosts: number; sizeBytes: number; linkRateKbit: number },
  one: Crowd,
  crowd: Crowd,
  originBytes: number,
): Report {
  const lineRateMs = (options.sizeBytes * 8) / options.linkRateKbit;
  const ratio = crowd.lastMs / one.lastMs;
  return {
    scenario: 'holder',
    options,
    rows: [
      {
        oneMs: Math.round(one.lastMs),
        atLinkRateMs: Math.round(lineRateMs),
        lastMs: Math.round(crowd.lastMs),
        ratio: rounded(ratio),
        longestStallMs: Math.round(crowd.longestStallMs),
        identical: crowd.identical,
        originBytes,
      },
    ],
    details: clientRows(crowd),
    targets: [
      atMost('ratio of lastMs to oneMs', ratio, RATIO_MAX),
      atMost('ratio of lastMs to the rate of a link', crowd.lastMs / lineRateMs, RATIO_MAX),
      equal('hosts with the identical file', crowd.identical, options.hosts - 1),
      equal('bytes that the origin served', originBytes, 0),
    ],
    notes: [],
  };
}
