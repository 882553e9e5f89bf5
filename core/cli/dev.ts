/**
 * `peerage dev DIR`: a plugin in a live node of its own, with its log; compiled and started anew when
 * a file of it is saved. The node is a group of one with a state directory in the plugin's folder.
 */
import { spawn } from 'node:child_process';
import { access, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { CodedError } from '@peerage/sdk';
import { readConfiguration } from '../ports/configuration.js';
import { LineLogger } from '../system.js';
import type { CommandLine } from './options.js';
import { usage } from './output.js';

/** How often the sources are looked at; an editor that writes several files is waited for. */
const LOOK_MS = 400;
/** What is not written by the author. */
const NO_SOURCES = ['dist', 'node_modules', '.git'];
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
      logger.log('error', 'dev-failed', { plugin: id, error });
    }
  });
  await new Promise<void>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done());
  });
  clearInterval(watcher);
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

/**
 * Calls back when a source of the plugin was saved, one call at a time. It looks at the files' times:
 * what the system tells of a tree misses saves after an editor has put another file in a place.
 */
function onSave(directory: string, save: () => Promise<void>): NodeJS.Timeout {
  let [seen, built]: [string | undefined, string | undefined] = [undefined, undefined];
  let busy = false;
  const look = async () => {
    const now = await stamp(directory);
    built ??= now;
    const isSettled = now === seen;
    seen = now;
    if (!isSettled || now === built) return;
    built = now;
    await save();
  };
  return setInterval(() => {
    if (busy) return;
    busy = true;
    void look().finally(() => {
      busy = false;
    });
  }, LOOK_MS);
}

/** Names, times and sizes of all sources. */
async function stamp(directory: string): Promise<string> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const parts = entries
    .filter(({ name }) => !NO_SOURCES.includes(name) && name !== STATE)
    .map(async (entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return `${entry.name}(${await stamp(path)})`;
      const found = await stat(path).catch(() => undefined);
      return `${entry.name} ${found?.mtimeMs} ${found?.size} ${found?.ino}`;
    });
  return (await Promise.all(parts)).join('\n');
}
