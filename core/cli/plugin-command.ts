/**
 * `peerage PLUGIN COMMAND …`: a command that a plugin adds, carried out by the running node. What
 * stands behind COMMAND is the plugin's, except the options that every command takes.
 */
import { readFile } from 'node:fs/promises';
import { CodedError, type CommandResult, errorCode } from '@peerage/sdk';
import { parseConfiguration } from '../ports/configuration.js';
import type { PluginCommandStatus } from '../ports/ports.js';
import { ask } from './client.js';
import { type CommandLine, parseCommandLine } from './options.js';
import { print } from './output.js';

/** Options of the core that take a value, wherever they stand. */
const VALUED = ['--state', '--config'];

/** A command line that belongs to a plugin. */
export interface PluginCommandLine {
  readonly plugin: string;
  readonly name: string | undefined;
  readonly args: readonly string[];
  /** The options of the core. */
  readonly own: readonly string[];
}

/** Takes a command line apart; `undefined` if its first word is none. */
export function splitPluginCommand(argv: readonly string[]): PluginCommandLine | undefined {
  const words: string[] = [];
  const own: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const text = argv[at] ?? '';
    if (VALUED.includes(text)) {
      own.push(text, argv[at + 1] ?? '');
      at += 1;
    } else if (text === '--json' || VALUED.some((name) => text.startsWith(`${name}=`))) {
      own.push(text);
    } else if (words.length < 2 && text.startsWith('-')) return undefined;
    else words.push(text);
  }
  const [plugin, name, ...args] = words;
  return plugin === undefined ? undefined : { plugin, name, args, own };
}

/** @returns the exit code that the plugin gave */
export async function runPluginCommand(given: PluginCommandLine): Promise<number> {
  const line = parseCommandLine(given.own);
  try {
    return given.name === undefined
      ? await listCommands(line, given.plugin)
      : await runIt(line, given);
  } catch (error) {
    const isMissing = ['E_NOT_RUNNING', 'E_PLUGIN_UNKNOWN'].includes(errorCode(error));
    if (!isMissing || (await isConfigured(line, given.plugin))) throw error;
    throw new CodedError('E_USAGE', `${given.plugin} is not a command`, {
      action: 'see `peerage --help`',
    });
  }
}

async function runIt(
  line: CommandLine,
  { plugin, name, args }: PluginCommandLine,
): Promise<number> {
  const query = new URLSearchParams({ plugin, name: name ?? '', args: JSON.stringify(args) });
  if (line.json) query.set('json', '1');
  const path = `/plugins/run?${query}`;
  const {
    text,
    json,
    exitCode = 0,
  } = (await ask(line.stateDirectory, 'POST', path)) as CommandResult;
  print(line, json ?? { text }, text);
  return exitCode;
}

async function listCommands(line: CommandLine, plugin: string): Promise<number> {
  const all = (await ask(line.stateDirectory, 'GET', '/commands')) as PluginCommandStatus[];
  const its = all.filter((command) => command.plugin === plugin);
  if (its.length === 0) throw new CodedError('E_PLUGIN_UNKNOWN', `${plugin} adds no commands`);
  const rows = its.map(({ name, usage = '', description }) => {
    return `  ${`peerage ${plugin} ${name} ${usage}`.trimEnd().padEnd(40)} ${description}`;
  });
  print(line, its, rows.join('\n'));
  return 0;
}

async function isConfigured(
  { configurationFile: file }: CommandLine,
  id: string,
): Promise<boolean> {
  if (file === undefined) return false;
  const { plugins } = parseConfiguration(await readFile(file, 'utf8'), file);
  return Object.keys(plugins).some((known) => known === id || known.startsWith(`${id}-`));
}
