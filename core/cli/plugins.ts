/** The commands about plugins: those that edit plugins.json, judge it, or change what runs. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { CodedError } from '@peerage/sdk';
import { applyEdits, modify } from 'jsonc-parser';
import { nearest, parseConfiguration } from '../ports/configuration.js';
import type { ReloadReport } from '../ports/ports.js';
import { ask } from './client.js';
import { validate, whyPlugin } from './judge-plugins.js';
import type { CommandLine } from './options.js';
import { print, usage } from './output.js';

export async function plugins(
  line: CommandLine,
  verb: string,
  argument: string | undefined,
): Promise<number> {
  if (verb === 'enable' || verb === 'disable') return edit(line, verb, argument);
  if (verb === 'validate') return validate(line);
  if (verb === 'why') return whyPlugin(line, argument);
  if (verb === 'reload') return reload(line);
  if (verb !== 'restart') throw usage(`plugins ${verb} is not known`);
  if (argument === undefined) throw usage('which plugin?');
  const path = `/plugins/restart?plugin=${encodeURIComponent(argument)}`;
  print(line, await ask(line.stateDirectory, 'POST', path), `${argument} was started anew`);
  return 0;
}

async function reload(line: CommandLine): Promise<number> {
  const done = (await ask(line.stateDirectory, 'POST', '/plugins/reload')) as ReloadReport;
  const parts = Object.entries(done).map(([what, ids]) => `${what}: ${ids.join(', ') || 'none'}`);
  print(line, done, parts.join('\n'));
  return 0;
}

/** `peerage plugins enable|disable ID`: edits plugins.json, keeping its comments. */
async function edit(
  line: CommandLine,
  verb: 'enable' | 'disable',
  id: string | undefined,
): Promise<number> {
  if (id === undefined) throw usage('which plugin?');
  const file = line.configurationFile;
  if (file === undefined) {
    throw new CodedError('E_CONFIG_UNREADABLE', 'there is no plugins.json', {
      action: 'name one with --config',
    });
  }
  const text = await readFile(file, 'utf8');
  const { plugins: known } = parseConfiguration(text, file);
  if (known[id] === undefined) {
    const near = nearest(id, Object.keys(known));
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    throw new CodedError('E_PLUGIN_UNKNOWN', `${file} has no plugin "${id}"${hint}`);
  }
  const enabled = verb === 'enable';
  const edits = modify(text, ['plugins', id, 'enabled'], enabled, {
    formattingOptions: { insertSpaces: true, tabSize: 2 },
  });
  await writeFile(`${file}.new`, applyEdits(text, edits));
  await rename(`${file}.new`, file);
  print(
    line,
    { id, enabled, file },
    `${id} ${verb}d in ${file}; a running node that uses this file takes it up`,
  );
  return 0;
}
