/** The command that edits plugins.json: plugins enable|disable. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { CodedError } from '@peerage/sdk';
import { applyEdits, modify } from 'jsonc-parser';
import { nearest, parseConfiguration } from '../ports/configuration.js';
import type { CommandLine } from './options.js';
import { print, usage } from './output.js';

/** `peerage plugins enable|disable ID`: edits plugins.json, keeping its comments. */
export async function plugins(
  line: CommandLine,
  verb: string,
  id: string | undefined,
): Promise<number> {
  if (verb !== 'enable' && verb !== 'disable') throw usage(`plugins ${verb} is not known`);
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
    `${id} ${verb}d in ${file}; it takes effect when the node is restarted`,
  );
  return 0;
}
