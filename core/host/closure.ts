/**
 * The directories that a package's code is read from: its own and those of all its dependencies,
 * by the path that leads to them and by the one that they really have (workspaces and stores of
 * package managers are links).
 */
import { access, readFile, realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Packages of one plugin: more is a mistake, and each is a flag on a command line. */
const PACKAGES_MAX = 1000;

interface Dependent {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** All directories of the packages in these directories and of what they depend on. */
export async function readClosure(directories: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  const waiting = [...directories];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    const real = await realpath(directory);
    const isKnown = directory !== real && found.has(real);
    found.add(directory).add(real);
    if (isKnown || found.size > 2 * PACKAGES_MAX) continue;
    for (const name of await dependenciesOf(real)) {
      const place = await placeOf(name, real);
      if (place !== undefined && !found.has(place)) waiting.push(place);
    }
  }
  return [...found];
}

async function dependenciesOf(directory: string): Promise<string[]> {
  const text = await readFile(join(directory, 'package.json'), 'utf8').catch(() => '{}');
  const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(text) as Dependent;
  return Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
}

/** Where a package is installed, seen from a directory; nowhere if it is an optional one. */
export async function placeOf(name: string, directory: string): Promise<string | undefined> {
  const folders = createRequire(join(directory, 'package.json')).resolve.paths(name) ?? [];
  for (const folder of folders) {
    const place = join(folder, name);
    const isThere = await access(join(place, 'package.json')).then(
      () => true,
      () => false,
    );
    if (isThere) return place;
  }
  return undefined;
}
