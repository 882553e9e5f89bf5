/** `peerage join HOST[:PORT] TOKEN`: makes this machine a member of the token's group. */
import { access } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { CodedError } from '@peerage/sdk';
import { join as joinGroup } from '../membership/join.js';
import { readConfiguration } from '../ports/configuration.js';
import { OBJECT_PORT, PACKET_PORT } from '../protocol/limits.js';
import { identityPath, prepareState, saveIdentity, saveJoinedAt, savePolicy } from '../state.js';
import { parseToken } from '../trust/enrolment.js';
import type { CommandLine } from './options.js';
import { print, usage } from './output.js';

/** The token `-` is read from standard input, so that it stands in no list of processes. */
export async function join(
  line: CommandLine,
  where: string | undefined,
  given: string | undefined,
): Promise<number> {
  if (where === undefined || given === undefined) throw usage('join needs HOST and TOKEN');
  if (line.name !== undefined) throw usage('join takes no --name: the token says the name');
  const { stateDirectory, configurationFile } = line;
  const token = parseToken(given === '-' ? await readAll(process.stdin) : given);
  await prepareState(stateDirectory);
  await refuseMember(stateDirectory);
  const configuration =
    configurationFile === undefined ? undefined : await readConfiguration(configurationFile);
  const ownPort = configuration?.core.objectPort ?? OBJECT_PORT;
  const at = readWhere(where, ownPort);
  const { identity, policy } = await joinGroup(at.host, at.port, token, Date.now());
  if (policy !== undefined) await savePolicy(stateDirectory, policy.bytes);
  await saveJoinedAt(stateDirectory, at);
  await saveIdentity(identityPath(stateDirectory), identity);
  const { name, kid, group, certificate } = identity;
  const until = new Date(certificate.validTo).toISOString();
  print(
    line,
    { node: name, kid, group, until },
    [
      `this machine is ${name} in the group ${group} (until ${until}, renewed by itself).`,
      'Restart the node to take it into use.',
      ...firewallAdvice(configuration?.core.packetPort ?? PACKET_PORT, ownPort),
    ].join('\n'),
  );
  return 0;
}

/** What the other machines need to reach this one, where it has a firewall. */
function firewallAdvice(packetPort: number, objectPort: number): string[] {
  return [
    'If this machine has a firewall, open it to the LAN by the one that fits:',
    `  nft add rule inet filter input udp dport ${packetPort} accept`,
    `  nft add rule inet filter input tcp dport ${objectPort} accept`,
    `  ufw allow ${packetPort}/udp; ufw allow ${objectPort}/tcp`,
    `  firewall-cmd --permanent --add-port=${packetPort}/udp --add-port=${objectPort}/tcp; firewall-cmd --reload`,
  ];
}

async function refuseMember(stateDirectory: string): Promise<void> {
  const path = identityPath(stateDirectory);
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  throw new CodedError('E_MEMBER_ALREADY', `this machine has an identity in ${path}`, {
    action: 'to join another group, or again, move that file away first',
  });
}

function readWhere(where: string, portDefault: number): { host: string; port: number } {
  const [, host = '', port] = /^([A-Za-z0-9.-]{1,253})(?::(\d{1,5}))?$/.exec(where) ?? [];
  const number = port === undefined ? portDefault : Number(port);
  if (host !== '' && number >= 1 && number <= 65_535) return { host, port: number };
  throw usage(`${where.slice(0, 80)} is no HOST or HOST:PORT`);
}
