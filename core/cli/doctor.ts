/**
 * `peerage doctor`: looks at the machine, the node, the LAN and the clients, and says for each fault
 * what to do. Changes nothing.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, errorCode } from '@peerage/sdk';
import { DEFAULT_CONFIGURATION } from '../default-configuration.js';
import { checkClients } from '../doctor/clients.js';
import { bad, describeFindings, type Finding, ok } from '../doctor/finding.js';
import { checkDisk, checkFirewall, checkInterfaces, checkRoutes } from '../doctor/machine.js';
import { checkNode, reach } from '../doctor/node.js';
import {
  type Configuration,
  parseConfiguration,
  readConfiguration,
} from '../ports/configuration.js';
import type { CoreSettings } from '../ports/settings.js';
import { identityFromPem } from '../trust/authority.js';
import { ask } from './client.js';
import type { CommandLine } from './options.js';
import { print } from './output.js';

const REACH_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** @returns 0 if nothing is bad, else 1 */
export async function doctor(line: CommandLine): Promise<number> {
  const { configuration, findings: first } = await readSettings(line);
  const { core } = configuration;
  const { stateDirectory } = line;
  const store = core.storeDirectory === '' ? join(stateDirectory, 'store') : core.storeDirectory;
  const findings = [
    ...first,
    ...checkInterfaces(core),
    ...(await checkRoutes(core)),
    ...(await checkUpstreams(configuration)),
    await looked('disk', async () => [await checkDisk(store)]),
    await looked('firewall', () => checkFirewall(core)),
    await nodeFindings(line, core),
    await looked('clients', () => checkClients(process.env)),
  ].flat();
  const worst = findings.some(({ level }) => level === 'bad') ? 1 : 0;
  print(line, { healthy: worst === 0, findings }, describeFindings(findings));
  return worst;
}

async function readSettings(
  line: CommandLine,
): Promise<{ configuration: Configuration; findings: Finding[] }> {
  const { configurationFile: file } = line;
  const builtIn = parseConfiguration(
    JSON.stringify(DEFAULT_CONFIGURATION),
    'built-in plugins.json',
  );
  if (file === undefined) {
    return { configuration: builtIn, findings: [ok('configuration', 'none: the defaults')] };
  }
  try {
    const configuration = await readConfiguration(file);
    return { configuration, findings: [ok('configuration', file)] };
  } catch (error) {
    const remedy = 'mend the line named; the node does not start with it';
    const finding = bad('configuration', `${describeError(error)} [${errorCode(error)}]`, remedy);
    return { configuration: builtIn, findings: [finding] };
  }
}

/** A look that cannot be had is a finding too, and does not end the others. */
async function looked(check: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look();
  } catch (error) {
    return [bad(check, describeError(error), 'run it as root, or as the user of the service')];
  }
}

async function nodeFindings(line: CommandLine, core: CoreSettings): Promise<Finding[]> {
  const { stateDirectory } = line;
  const view = {
    look: (name: string) => ask(stateDirectory, 'GET', `/${name}`),
    probe: () =>
      ask(stateDirectory, 'POST', '/probe').then(
        () => true,
        () => false,
      ),
  };
  try {
    return await checkNode(view, core, Date.now());
  } catch (error) {
    const remedy = 'start it: `peerage start`, or `systemctl start peerage`';
    const down = bad('node', `${describeError(error)} [${errorCode(error)}]`, remedy);
    return [down, ...(await certificateOnDisk(stateDirectory))];
  }
}

/** Why the node may not start: an identity that is not good any more. */
async function certificateOnDisk(stateDirectory: string): Promise<Finding[]> {
  const path = join(stateDirectory, 'identity.pem');
  try {
    const { certificate } = identityFromPem(await readFile(path, 'utf8'), path, Date.now());
    return [ok('certificate', `good until ${certificate.validTo}`)];
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    const remedy = 'join again with a new token (`peerage ca token` on the machine with the CA)';
    return [bad('certificate', describeError(error), remedy)];
  }
}

/** The proxy of the office and the mirrors' upstreams: what this node needs of the Internet. */
async function checkUpstreams({ core, plugins }: Configuration): Promise<Finding[]> {
  const { mirrors = [] } = (plugins['url-cache']?.settings ?? {}) as {
    mirrors?: ReadonlyArray<{ readonly upstream: string }>;
  };
  const wanted =
    core.upstreamProxy === '' ? mirrors.map(({ upstream }) => upstream) : [core.upstreamProxy];
  if (!core.internet) return [];
  return Promise.all(
    wanted
      .filter((url) => URL.canParse(url))
      .map(async (text) => {
        const url = new URL(text);
        const port = url.port === '' ? (REACH_PORTS[url.protocol] ?? 80) : Number(url.port);
        const fault = await reach(url.hostname, port);
        if (fault === undefined) return ok('internet', `${url.host} answers`);
        const remedy = 'check DNS, gateway and the proxy of the office (core.upstreamProxy)';
        return bad('internet', `${url.host} does not answer (${fault})`, remedy);
      }),
  );
}
