/**
 * How a plugin's process is launched: Node's permission flags, and around them what the system
 * offers: no network (`unshare`), a user of its own, an end with the core's (`setpriv`).
 *
 * What this stops, and what not, is said in sdk/README.md; what an admin asks for and the machine
 * does not offer is an error, never silently left out.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { CodedError } from '@peerage/sdk';

export interface LaunchWish {
  readonly plugin: string;
  /** Directories and files that it may read. */
  readonly readPaths: readonly string[];
  /** Directories that it may read and write. */
  readonly writePaths: readonly string[];
  readonly memoryMiB: number;
  /** Whether it is to have a network. */
  readonly network: boolean;
  readonly uid: number | undefined;
  /** Whether Node's permission flags are set. */
  readonly confine: boolean;
}

/** For `fork`: which program, and what stands before the module's name. */
export interface Launch {
  readonly execPath: string;
  readonly execArgv: readonly string[];
}

/** Arguments of `setpriv`: a child gets no further rights, and ends when its parent does. */
const END_WITH_CORE = ['--no-new-privs', '--pdeathsig', 'KILL', '--'];
/** Looked for once. */
let setpriv: { readonly path: string | undefined } | undefined;

/** Where Linux keeps its tools. */
const FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

/** @throws CodedError `E_PLUGIN_ISOLATION` */
export function launch(wish: LaunchWish): Launch {
  const node = [
    process.execPath,
    `--max-old-space-size=${wish.memoryMiB}`,
    '--enable-source-maps',
    ...(wish.confine ? permissionFlags(wish) : []),
  ];
  const [execPath = process.execPath, ...execArgv] = [...around(wish), ...node];
  return { execPath, execArgv };
}

function around({ plugin, network, uid }: LaunchWish): string[] {
  const isRoot = process.getuid?.() === 0;
  const wrapper = findSetpriv();
  const unshare = findTool('unshare');
  if (!network && unshare === undefined) throw lacking(plugin, 'network: false', 'unshare');
  if (uid !== undefined && (wrapper === undefined || !isRoot)) {
    throw lacking(plugin, 'uid', 'setpriv, and a core that runs as root');
  }
  const alone = network || unshare === undefined ? [] : [unshare, '--net'];
  if (alone.length > 0 && !isRoot) alone.push('--map-root-user');
  if (alone.length > 0) alone.push('--');
  if (wrapper === undefined) return alone;
  const user =
    uid === undefined ? [] : ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
  // Without it a plugin in an endless loop outlives a core that was killed.
  return [...alone, wrapper, ...user, ...END_WITH_CORE];
}

/** The flags differ by Node's version: `--permission` and the network's came later. */
function permissionFlags({ readPaths, writePaths }: LaunchWish): string[] {
  const known = process.allowedNodeEnvironmentFlags;
  return [
    known.has('--permission') ? '--permission' : '--experimental-permission',
    ...outermost([...readPaths.map(aroundLink), ...writePaths]).map((path) => {
      return `--allow-fs-read=${path}`;
    }),
    ...outermost(writePaths).map((path) => `--allow-fs-write=${path}`),
    // The ticket socket is a connection too, so this cannot depend on the grant.
    ...(known.has('--allow-net') ? ['--allow-net'] : []),
  ];
}

/** A path means what is below it; to read a link itself takes the folder that it is in. */
function aroundLink(path: string): string {
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return isLink ? dirname(path) : path;
}

/** Without the paths that others of them contain: Node 20 aborts on some that do. */
function outermost(paths: readonly string[]): string[] {
  const all = [...new Set(paths)];
  return all.filter((path) => !all.some((other) => path.startsWith(`${other}/`)));
}

/** `setpriv`, if it works here: a service manager may forbid it the calls that it makes. */
function findSetpriv(): string | undefined {
  if (setpriv === undefined) {
    const path = findTool('setpriv');
    const works = path !== undefined && spawnSync(path, [...END_WITH_CORE, 'true']).status === 0;
    setpriv = { path: works ? path : undefined };
  }
  return setpriv.path;
}

function findTool(name: string): string | undefined {
  if (process.platform !== 'linux') return undefined;
  return FOLDERS.map((folder) => `${folder}/${name}`).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function lacking(plugin: string, key: string, needed: string): CodedError {
  return new CodedError('E_PLUGIN_ISOLATION', `plugin ${plugin}: "${key}" cannot be had here`, {
    expected: `a Linux with ${needed}`,
    action: `take it out of plugins.${plugin}.grant, or run the node where it can be had`,
  });
}
