/** `peerage start`: runs a node in the foreground until a signal ends it. */

import { join } from 'node:path';
import { startNode } from '../composition.js';
import { DEFAULT_CONFIGURATION } from '../default-configuration.js';
import {
  type Configuration,
  parseConfiguration,
  readConfiguration,
} from '../ports/configuration.js';
import { handedSockets } from '../service/activation.js';
import { ServiceManager } from '../service/notify.js';
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
  const placed = inCacheDirectory(configuration, process.env['CACHE_DIRECTORY']);
  const sockets = handedSockets(process.env);
  const node = await startNode({
    stateDirectory,
    configuration: placed,
    logger,
    passphraseFile,
    sockets,
  });
  const { identity, solo } = node;
  logger.log('info', 'ready', {
    version: CORE_VERSION,
    pid: process.pid,
    node: identity.name,
    group: solo ? 'none: a group of one, nothing is sent on the LAN' : identity.group,
    state: stateDirectory,
    configuration: configuration.file,
    next: solo
      ? 'share with other machines: `peerage ca init` here, then `peerage ca token` for each of them'
      : '`peerage peers` shows the other machines',
  });
  const manager = new ServiceManager(process.env);
  manager.ready(solo ? 'a group of one' : `${identity.name} of group ${identity.group}`);
  const signal = await asked;
  logger.log('info', 'stopping', { signal });
  await manager.stopping();
  const inTime = await endsWithin(STOP_MS, node.stop());
  logger.log(
    inTime ? 'info' : 'warn',
    'stopped',
    inTime ? {} : { after: `${STOP_MS} ms, cut off` },
  );
  return inTime ? 0 : 1;
}

/** A stop that takes longer is cut off: a service manager would kill us, and peers go on anyway. */
const STOP_MS = 5000;

function endsWithin(limitMs: number, work: Promise<void>): Promise<boolean> {
  const late = new Promise<boolean>((resolve) => {
    setTimeout(() => resolve(false), limitMs).unref();
  });
  return Promise.race([work.then(() => true), late]);
}

/** A service manager may have a place for what can be fetched again (CacheDirectory=). */
function inCacheDirectory(given: Configuration, cache: string | undefined): Configuration {
  if (cache === undefined || given.core.storeDirectory !== '') return given;
  return { ...given, core: { ...given.core, storeDirectory: join(cache, 'store') } };
}

function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => resolve(signal));
  });
}
