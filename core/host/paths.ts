/**
 * Paths that a plugin names: judged by where they really lead, links followed, before the core or a
 * program that it runs touches them.
 */
import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { CodedError, errorCode } from '@peerage/sdk';
import { OUT_DIRECTORY } from './channel.js';

/** The absolute path if it is below one of these directories. @throws CodedError `E_PATH_DENIED` */
export async function pathBelow(path: string, directories: readonly string[]): Promise<string> {
  const [base = '/'] = directories;
  const wanted = resolve(base, path);
  const real = path.includes('\0') ? undefined : await realPath(wanted);
  for (const directory of directories) {
    const inside = real === undefined ? '..' : relative(await realPath(directory), real);
    if (inside !== '..' && !inside.startsWith(`..${sep}`) && resolve(inside) !== inside) {
      return wanted;
    }
  }
  throw new CodedError('E_PATH_DENIED', `${path.slice(0, 200)} leads elsewhere`, {
    expected: `a path below ${directories.join(' or ')}`,
  });
}

/** The file in which a publication of this plugin waits. @throws CodedError `E_PATH_DENIED` */
export async function outFile(dataDirectory: string, name: string): Promise<string> {
  const directory = join(dataDirectory, OUT_DIRECTORY);
  const path = await pathBelow(join(directory, basename(name)), [directory]);
  const found = await lstat(path).catch(() => undefined);
  if (found?.isFile() === true) return path;
  throw new CodedError('E_PATH_DENIED', `${name.slice(0, 100)} is no file to publish`);
}

/** Where a path leads; of one that is not there yet, where it will be. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if (errorCode(error) !== 'ENOENT' || parent === path) return path;
    // A link that leads nowhere yet could be made to lead anywhere later.
    const link = await lstat(path).catch(() => undefined);
    if (link !== undefined) throw new CodedError('E_PATH_DENIED', `${path} is a broken link`);
    return join(await realPath(parent), basename(path));
  }
}
