/**
 * `takeover`: a host with better criteria boots while the others keep fetching through the provider:
 * it provides soon, and no request fails.
 */
import { contentSha256 } from '../content.js';
import { agreed, electing, nodeNamed } from '../election.js';
import { Group } from '../group.js';
import { Lan, ORIGIN_NAME } from '../lan.js';
import type { PeerageNode } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atMost, equal, type Report, rounded } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';

const HOSTS = 4;
const LINE_RATE_KBIT = 50_000;
const SIZE_BYTES = 50_000;
const DEADLINE_MS = 30_000;
/** From its start to the office: its process, the test of the Internet access, one election. */
const OFFICE_MS = 15_000;

export const takeover: Scenario = {
  name: 'takeover',
  summary: 'a better host boots and takes the office over: no request fails',
  missing: missingForOrigin,
  run,
};

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = HOSTS } = options;
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT });
  const better = `h${hosts}`;
  const group = Group.on(lan.hosts, ({ name }) => ({
    ...electing({ weight: name === better ? 50 : 0 }),
  }));
  try {
    await OriginService.start(lan.origin, { tls: false });
    await group.enrol();
    const early = group.nodes.slice(0, -1);
    await Promise.all(early.map((node) => node.start()));
    const before = await agreed(early);
    const boots = Date.now();
    const late = nodeNamed(group, better);
    let over = false;
    const asking = early.map((node) => keepFetching(node, () => over));
    await late.start();
    const after = await agreed(group.nodes, ({ provider }) => provider?.node === better);
    const tookMs = Date.now() - boots;
    over = true;
    const asked = await Promise.all(asking);
    const sum = (name: 'done' | 'failed') => asked.reduce((all, one) => all + one[name], 0);
    return {
      scenario: 'takeover',
      options: { hosts },
      rows: [
        {
          before: before.provider?.node ?? '',
          after: after.provider?.node ?? '',
          tookMs,
          requests: sum('done'),
        },
      ],
      targets: [
        equal('another provided before', before.provider?.node !== better, true),
        equal('requests that failed', sum('failed'), 0),
        atMost('from its start to the office, seconds', rounded(tookMs / 1000), OFFICE_MS / 1000),
      ],
      notes: [],
    };
  } finally {
    group.saveLogs(options.logsDirectory);
    await group.stop();
    lan.dispose();
  }
}

/** One new file after another, until it is over. */
async function keepFetching(node: PeerageNode, over: () => boolean) {
  const asked = { done: 0, failed: 0 };
  while (!over()) {
    const seed = `${node.place.name}-${asked.done}`;
    const sha256 = contentSha256(seed, SIZE_BYTES);
    const url = `http://${ORIGIN_NAME}/bytes/${SIZE_BYTES}/${seed}/by-hash/SHA256/${sha256}`;
    const args = ['-sS', '--fail', '-o', '/dev/null', '--proxy', node.proxyUrl, url];
    const { code } = await node.place.run('curl', args, { deadlineMs: DEADLINE_MS });
    asked.done += 1;
    if (code !== 0) asked.failed += 1;
  }
  return asked;
}
