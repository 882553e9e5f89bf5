/**
 * `peerage setup CLIENT [--write | --undo]`: shows what a client needs so that it asks this
 * machine's cache, writes it, or takes it out again. Files are replaced whole by renaming, keep
 * their mode, and are as before to the byte after `--undo`.
 */
import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CodedError, errorCode } from '@peerage/sdk';
import { locatePackage } from '../host/manifest.js';
import { readCacheListening } from './cache-settings.js';
import { type CachePlace, CLIENTS, type ClientFile } from './client-settings.js';
import { withLines, withoutLines } from './marked-lines.js';
import type { CommandLine } from './options.js';
import { print, usage } from './output.js';

/** Empty but for what we put in: the file was not there before. */
const MADE_MARK = '# this file was made by peerage\n';

interface Change {
  readonly path: string;
  /** What stands there now; `undefined`: nothing. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly mode: number;
}

export async function setup(line: CommandLine, name: string | undefined): Promise<number> {
  const known = Object.keys(CLIENTS).join(', ');
  const client = name !== undefined && Object.hasOwn(CLIENTS, name) ? CLIENTS[name] : undefined;
  if (client === undefined) throw usage(`setup of what? One of ${known}`);
  if (line.write && line.undo) throw usage('--write or --undo?');
  const { file, mirrorPort } = line;
  const files = await client(await cachePlace(line, line.undo), { file, mirrorPort });
  const changes = await Promise.all(files.map((one) => changeOf(one, line.undo)));
  const changed = changes.filter(({ before, after }) => before !== after);
  const apply = line.write || line.undo;
  if (apply) for (const change of changed) await put(change);
  const shown = changes.map(({ path, after }) => ({ path, content: after ?? null }));
  const value = { client: name, files: shown, applied: apply, changed: changed.length };
  print(line, value, apply ? report(changed) : sketch(files, name ?? ''));
  return 0;
}

function report(changed: readonly Change[]): string {
  if (changed.length === 0) return 'nothing to do: it is so already';
  return changed
    .map(({ path, after }) => (after === undefined ? `removed ${path}` : `wrote ${path}`))
    .join('\n');
}

function sketch(files: readonly ClientFile[], name: string): string {
  const texts = files.map((file) => {
    if ('content' in file) return `${file.path}:\n\n${indented(file.content)}`;
    const { section, lines } = file.insertion;
    const all = section === undefined ? lines : [section, ...lines];
    return `${file.path}, among what is there:\n\n${indented(all.join('\n'))}`;
  });
  return `${texts.join('\n\n')}\n\n\`peerage setup ${name} --write\` does it, --undo takes it back`;
}

const indented = (text: string): string => text.trimEnd().replace(/^(?=.)/gm, '    ');

async function changeOf(file: ClientFile, undo: boolean): Promise<Change> {
  const { path } = file;
  const before = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw unwritable(path, error);
  });
  if ('content' in file) {
    return { path, before, after: undo ? undefined : file.content, mode: file.mode };
  }
  const mode = await stat(path).then(
    (found) => found.mode & 0o777,
    () => 0o644,
  );
  if (undo) {
    const after = before === undefined ? undefined : withoutLines(before);
    return { path, before, after: after === MADE_MARK ? undefined : after, mode };
  }
  return { path, before, after: withLines(before ?? MADE_MARK, file.insertion), mode };
}

/** @throws CodedError `E_SETUP_UNWRITABLE` */
async function put({ path, after, mode }: Change): Promise<void> {
  try {
    if (after === undefined) return await rm(path, { force: true });
    await mkdir(dirname(path), { recursive: true });
    const fresh = `${path}.peerage-new`;
    await writeFile(fresh, after, { mode });
    await chmod(fresh, mode);
    await rename(fresh, path);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

function unwritable(path: string, cause: unknown): CodedError {
  return new CodedError('E_SETUP_UNWRITABLE', `${path} cannot be changed`, {
    action: 'run it as root for a file of the system, or name another one with --file',
    cause,
  });
}

/** Where the cache of this configuration listens; for undoing, where does not matter. */
async function cachePlace(line: CommandLine, undo: boolean): Promise<CachePlace> {
  const { configuration, use, address, port, mirrors } = await readCacheListening(line);
  const host = address === '0.0.0.0' ? '127.0.0.1' : address;
  const anyMirror = [{ port: line.mirrorPort ?? 1, upstream: '' }];
  return {
    proxy: `${host}:${port}`,
    mirrors: undo ? anyMirror : mirrors,
    detectScript: async () => {
      if (undo) return '';
      const directory = dirname(await locatePackage(use, configuration.file));
      return readFile(join(directory, 'clients', 'apt-proxy-detect'), 'utf8');
    },
  };
}
