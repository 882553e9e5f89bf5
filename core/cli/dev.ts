/**
 * `peerage dev DIR`: a plugin in a live node of its own, with its log; compiled and started anew when
 * a file of it is saved. The node is a group of one with a state directory in the plugin's folder.
 */
import { spawn } from 'node:child_process';
import { type FSWatcher, watch } from 'node:fs';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import { CodedError, describeError } from '@peerage/sdk';
import { readConfiguration } from '../ports/configuration.js';
import { LineLogger } from '../system.js';
import type { CommandLine } from './options.js';
import { usage } from './output.js';

/** A compiler and an editor write many files; the last of them counts. */
const SETTLE_MS = 300;
const STATE = '.peerage';

export async function dev(line: CommandLine, given: string | undefined): Promise<number> {
  if (given === undefined) throw usage('which plugin’s directory?');
  const directory = resolve(given);
  const id = await pluginId(directory);
  const stateDirectory = join(directory, STATE);
  await mkdir(stateDirectory, { recursive: true });
  const file = line.configurationFile ?? (await writeConfiguration(stateDirectory, id, directory));
  await compile(directory);
  const configuration = await readConfiguration(file);
  const logger = new LineLogger();
  const { startNode } = await import('../composition.js');
  const node = await startNode({ stateDirectory, configuration, logger });
  logger.log('info', 'dev-ready', {
    plugin: id,
    commands: `peerage ${id} … --state ${stateDirectory}`,
  });
  const watcher = onSave(directory, async () => {
    try {
      await compile(directory);
      await node.host.restart(id);
      logger.log('info', 'dev-restarted', { plugin: id });
    } catch (error) {
      logger.log('error', 'dev-failed', { plugin: id, error: describeError(error) });
    }
  });
  await new Promise<void>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done());
  });
  watcher.close();
  await node.stop();
  return 0;
}

async function pluginId(directory: string): Promise<string> {
  const file = join(directory, 'package.json');
  try {
    const { peerage } = JSON.parse(await readFile(file, 'utf8')) as { peerage: { id: string } };
    return peerage.id;
  } catch (cause) {
    throw new CodedError('E_PLUGIN_MANIFEST', `${file} is no plugin’s package.json`, { cause });
  }
}

/** A configuration of its own beside the state, kept if it is there: the author may edit it. */
async function writeConfiguration(state: string, id: string, directory: string): Promise<string> {
  const file = join(state, 'plugins.json');
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (isThere) return file;
  const core = { address: '127.0.0.1', packetPort: 21_967, objectPort: 26_515 };
  const plugins = { [id]: { use: directory } };
  await writeFile(file, `${JSON.stringify({ core, plugins }, undefined, 2)}\n`);
  return file;
}

/** Runs the plugin's own `build` script, if it has one. @throws CodedError `E_PLUGIN_BUILD` */
async function compile(directory: string): Promise<void> {
  const args = ['run', 'build', '--if-present', '--silent'];
  const command = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const child = spawn(command, args, { cwd: directory, stdio: ['ignore', 'inherit', 'inherit'] });
  const code = await new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', done);
  });
  if (code !== 0) {
    throw new CodedError('E_PLUGIN_BUILD', `${basename(directory)} does not compile`, {
      action: 'mend what the compiler says; the version before runs on',
    });
  }
}

/** Calls back when a source of the plugin was saved, one call at a time. */
function onSave(directory: string, save: () => Promise<void>): FSWatcher {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  return watch(directory, { recursive: true }, (_event, name) => {
    const [top = ''] = (name ?? '').split(sep);
    if (['dist', 'node_modules', STATE, '.git'].includes(top)) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      running = running.then(save);
    }, SETTLE_MS);
  });
}
