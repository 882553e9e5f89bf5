/** `peerage start`: runs a node in the foreground until a signal ends it. */

import { startNode } from '../composition.js';
import { DEFAULT_CONFIGURATION } from '../default-configuration.js';
import { parseConfiguration, readConfiguration } from '../ports/configuration.js';
import { LineLogger } from '../system.js';
import { CORE_VERSION } from '../version.js';
import type { CommandLine } from './options.js';

export async function start(line: CommandLine): Promise<number> {
  const logger = new LineLogger();
  const { configurationFile: file, stateDirectory, passphraseFile } = line;
  const configuration =
    file === undefined
      ? parseConfiguration(JSON.stringify(DEFAULT_CONFIGURATION), 'built-in plugins.json')
      : await readConfiguration(file);
  const asked = untilSignal();
  const node = await startNode({ stateDirectory, configuration, logger, passphraseFile });
  const { identity, solo } = node;
  logger.log('info', 'ready', {
    version: CORE_VERSION,
    node: identity.name,
    group: solo ? 'none: a group of one, nothing is sent on the LAN' : identity.group,
    state: stateDirectory,
    configuration: configuration.file,
    next: solo
      ? 'share with other machines: `peerage ca init` here, then `peerage ca token` for each of them'
      : '`peerage peers` shows the other machines',
  });
  const signal = await asked;
  logger.log('info', 'stopping', { signal });
  await node.stop();
  logger.log('info', 'stopped');
  return 0;
}

function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => resolve(signal));
  });
}
