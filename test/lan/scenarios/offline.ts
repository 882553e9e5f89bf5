/**
 * `offline`: of all hosts only two have the Internet. The better of them is elected, the others
 * get files through it, and when its host is pulled out in the middle of a download the other one
 * provides and the download ends, byte-identical.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentSha256 } from '../content.js';
import { agreed, electing, nodeNamed } from '../election.js';
import { Group } from '../group.js';
import { Lan, ORIGIN_NAME } from '../lan.js';
import type { PeerageNode } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atMost, equal, type Report, type Row, rounded } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { until } from '../until.js';

const HOSTS = 8;
const ONLINE = 2;
const LINE_RATE_KBIT = 20_000;
const SIZE_BYTES = 5_000_000;
const LONG_BYTES = 15_000_000;
const DEADLINE_MS = 90_000;
/** The second host is the better one, by the admin's weight. */
const BETTER = 'h2';

export const offline: Scenario = {
  name: 'offline',
  summary: 'two hosts with Internet, the others get all through the elected one, also when it dies',
  missing: missingForOrigin,
  run,
};

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = HOSTS, sizeBytes = SIZE_BYTES } = options;
  const say = options.say ?? (() => undefined);
  const offlineHosts = Array.from({ length: hosts - ONLINE }, (_, i) => ONLINE + 1 + i);
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT, offlineHosts });
  const group = Group.on(lan.hosts, ({ name }) => {
    const config = electing({ weight: name === BETTER ? 10 : 0 });
    const internet = Number(name.slice(1)) <= ONLINE;
    return { core: { ...config.core, internet } };
  });
  try {
    const origin = await OriginService.start(lan.origin, { tls: false });
    await group.start();
    const named = ({ backup }: { readonly backup?: unknown }) => backup !== undefined;
    const first = await agreed(group.nodes, named);
    say(`${first.provider?.node} provides, ${first.backup?.node} stands by`);
    const others = group.nodes.slice(ONLINE);
    const rows: Row[] = [];
    for (const node of others) rows.push(await fetchFile(node, 'shared', sizeBytes));
    const shared = (await origin.counts()).total;
    say('the provider is pulled out in the middle of a download');
    const last = await pullOut(lan, group, first.provider?.node ?? '', others);
    return {
      scenario: 'offline',
      options: { hosts, sizeBytes },
      rows: [...rows, last],
      targets: [
        equal('the best host with Internet provides', first.provider?.node ?? '', BETTER),
        equal(
          'identical files',
          rows.filter(({ identical }) => identical === true).length,
          others.length,
        ),
        atMost('bytes of the origin, times the file', shared.bodyBytes / sizeBytes, 1.05),
        equal(
          'the download over the death of the provider is identical',
          last['identical'] ?? false,
          true,
        ),
      ],
      notes: [],
    };
  } finally {
    group.saveLogs(options.logsDirectory);
    await group.stop();
    lan.dispose();
  }
}

async function pullOut(
  lan: Lan,
  group: Group,
  provider: string,
  others: readonly PeerageNode[],
): Promise<Row> {
  const node = others.at(-1) ?? nodeNamed(group, provider);
  const fetched = fetchFile(node, 'long', LONG_BYTES);
  await until('the download is under way', DEADLINE_MS, async () => {
    const downloads = (await node.ask('downloads')) as Array<{ receivedBytes: number }>;
    return downloads.some(({ receivedBytes }) => receivedBytes > LONG_BYTES / 5) ? true : undefined;
  });
  lan.hosts.find(({ name }) => name === provider)?.linkDown();
  return fetched;
}

/** A client of the node's proxy. */
async function fetchFile(node: PeerageNode, seed: string, sizeBytes: number): Promise<Row> {
  const { place } = node;
  const sha256 = contentSha256(seed, sizeBytes);
  const url = `http://${ORIGIN_NAME}/bytes/${sizeBytes}/${seed}/by-hash/SHA256/${sha256}`;
  const file = join(place.directory, seed);
  const args = ['-sS', '--fail', '-o', file, '-w', '%{time_total}', '--proxy', node.proxyUrl, url];
  const { code, stdout } = await place.run('curl', args, { deadlineMs: DEADLINE_MS });
  const right = code === 0 && createHash('sha256').update(readFileSync(file)).digest('hex');
  return {
    host: place.name,
    file: seed,
    seconds: rounded(Number(stdout)),
    identical: right === sha256,
  };
}
