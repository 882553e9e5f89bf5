/**
 * The integrity of an installed plugin: one digest over its files as they are on the disk, so that
 * what the admin looked at is what runs. Its dependencies (`node_modules`) are the lock file's.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '@peerage/sdk';
import type { PluginEntry } from '../ports/configuration.js';

/** Files of one package: a plugin is small, and all are read. */
const FILES_MAX = 5000;

/** `sha256-` and the base64 digest over the sorted list of its files with their digests. */
export async function integrityOf(directory: string): Promise<string> {
  const real = await realpath(directory);
  const all = await readdir(real, { recursive: true, withFileTypes: true });
  const paths = all
    .filter((found) => found.isFile() || found.isSymbolicLink())
    .map((found) => join(found.parentPath ?? found.path, found.name).slice(real.length + 1))
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !/(^|\/)(node_modules|\.git)\//.test(path))
    .sort();
  if (paths.length > FILES_MAX) {
    throw new CodedError('E_PLUGIN_INTEGRITY', `${directory} has ${paths.length} files`, {
      expected: `at most ${FILES_MAX} to compute its integrity`,
    });
  }
  const whole = createHash('sha256');
  for (const path of paths) {
    const bytes = await readFile(join(real, path));
    whole.update(`${createHash('sha256').update(bytes).digest('hex')}  ${path}\n`);
  }
  return `sha256-${whole.digest('base64')}`;
}

/** @throws CodedError `E_PLUGIN_VERSION`, `E_PLUGIN_INTEGRITY` */
export async function checkInstalled(
  id: string,
  { version, integrity }: PluginEntry,
  installed: { readonly version: string; readonly directory: string },
): Promise<void> {
  if (version !== undefined && version !== installed.version) {
    throw new CodedError('E_PLUGIN_VERSION', `plugin ${id} is installed as ${installed.version}`, {
      expected: `version ${version}, as plugins.json says`,
      action: 'install that version, or change plugins.json',
    });
  }
  if (integrity === undefined) return;
  const found = await integrityOf(installed.directory);
  if (found === integrity) return;
  throw new CodedError(
    'E_PLUGIN_INTEGRITY',
    `plugin ${id}: its files are not those of plugins.json`,
    {
      expected: `${integrity}, found ${found}`,
      action: 'find out who changed them; if it was you, take the new value',
    },
  );
}
