/**
 * `offline`: of all hosts only two have the Internet. The better of them is elected, the others
 * get files and real apt's packages through it, and send what a plugin's manifest and the
 * provider's grant allow; when its host is pulled out in the middle of a download the other one
 * provides and the download ends, byte-identical.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { APT_TOOLS, AptClient } from '../apt-client.js';
import { contentSha256 } from '../content.js';
import { courier, courierOn } from '../courier-plugin.js';
import { type Archive, buildArchive, REPOSITORY_TOOLS, WANTED } from '../debian-repository.js';
import { agreed, electing, nodeNamed } from '../election.js';
import { Group } from '../group.js';
import { Lan, ORIGIN_NAME } from '../lan.js';
import type { PeerageNode } from '../node.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atMost, equal, type Report, type Row, rounded, type Target } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { missingTools } from '../tools.js';
import { until } from '../until.js';

const HOSTS = 8;
const ONLINE = 2;
const LINE_RATE_KBIT = 20_000;
const SIZE_BYTES = 5_000_000;
const LONG_BYTES = 15_000_000;
const DEADLINE_MS = 90_000;
const DECLARED = `http://${ORIGIN_NAME}/report`;
const UNDECLARED = `http://${ORIGIN_NAME}/elsewhere`;
/** What the plugin is told when the provider answers 404. */
const REFUSED = 'E_NO_INTERNET';
/** The second host is the better one, by the admin's weight. */
const BETTER = 'h2';

export const offline: Scenario = {
  name: 'offline',
  summary: 'two hosts with Internet, the others get all through the elected one, also when it dies',
  missing: () => missingForOrigin() ?? missingTools([...REPOSITORY_TOOLS, ...APT_TOOLS]),
  run,
};

async function run(options: ScenarioOptions): Promise<Report> {
  const { hosts = HOSTS, sizeBytes = SIZE_BYTES } = options;
  const say = options.say ?? (() => undefined);
  const offlineHosts = Array.from({ length: hosts - ONLINE }, (_, i) => ONLINE + 1 + i);
  const lan = Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT, offlineHosts });
  const sending = await courierOn(lan.origin);
  const group = Group.on(lan.hosts, ({ name }) => {
    const config = electing({ weight: name === BETTER ? 10 : 0 });
    const internet = Number(name.slice(1)) <= ONLINE;
    // The provider's admin allows less than the plugin wishes for.
    const plugins = { courier: courier(sending, internet ? [DECLARED] : undefined) };
    return { core: { ...config.core, internet }, plugins };
  });
  try {
    const archive = await buildArchive(lan.origin);
    const origin = await OriginService.start(lan.origin, { tls: false, directory: archive.root });
    await group.start();
    const named = ({ backup }: { readonly backup?: unknown }) => backup !== undefined;
    const first = await agreed(group.nodes, named);
    say(`${first.provider?.node} provides, ${first.backup?.node} stands by`);
    const others = group.nodes.slice(ONLINE);
    const rows: Row[] = [];
    for (const node of others) rows.push(await fetchFile(node, 'shared', sizeBytes));
    const shared = (await origin.reset()).total;
    say('real apt installs packages on the hosts without Internet');
    const packages = await installAll(others, archive, origin);
    say('a plugin sends what it may, and what the provider’s admin does not allow');
    const provider = nodeNamed(group, first.provider?.node);
    const sent = await uploads(others[0] ?? provider, provider, origin);
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
        ...packages,
        equal('answer of the origin to a declared POST', sent.declared, '204'),
        equal('POSTs that reached the origin', sent.reached, 1),
        equal('answer to one that the provider may not send', sent.undeclared, REFUSED),
        equal('counted by the provider', sent.counted, 1),
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

/** Each host without Internet updates and installs; every package leaves the origin once. */
async function installAll(
  nodes: readonly PeerageNode[],
  archive: Archive,
  origin: OriginService,
): Promise<Target[]> {
  const all = archive.packages.length;
  const installed: number[] = [];
  for (const node of nodes) installed.push(await installOn(node, archive));
  const { urls } = await origin.reset();
  const once = archive.packages.filter(({ path }) => urls[path]?.bodies === 1).length;
  const complete = installed.filter((count) => count === all).length;
  return [
    equal('hosts without Internet with all packages installed', complete, nodes.length),
    equal('packages that left the origin once', once, all),
  ];
}

/** Packages that a real apt has installed through the node of its host. */
async function installOn(node: PeerageNode, archive: Archive): Promise<number> {
  const client = new AptClient(node.place, 'root', archive, { fixed: node.proxyUrl });
  await client.update();
  await client.install(WANTED);
  return client.countInstalled();
}

/** One upload that both ends allow, one that only the sender does; what came of them. */
async function uploads(node: PeerageNode, provider: PeerageNode, origin: OriginService) {
  const send = async (url: string) => {
    const done = await node.command('courier', 'send', url, 'a report', '--json');
    const { code = '', status = '' } = JSON.parse(done.stdout || done.stderr) as Answer;
    return `${status}${code}`;
  };
  const declared = await send(DECLARED);
  const undeclared = await send(UNDECLARED);
  const { urls } = await origin.counts();
  const posts = (url: string) => urls[new URL(url).pathname]?.uploads ?? 0;
  const shown = (await provider.ask('status')) as { uploads: Record<string, number> };
  return {
    declared,
    undeclared,
    reached: posts(DECLARED) + posts(UNDECLARED),
    counted: shown.uploads['errand-refused-undeclared'] ?? 0,
  };
}

interface Answer {
  readonly status?: number;
  readonly code?: string;
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
