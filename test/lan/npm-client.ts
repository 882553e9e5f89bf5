/**
 * A real npm that knows one registry and nothing of the machine's configuration, with a project
 * and a cache of its own.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { succeeded } from './command.js';
import type { Place } from './place.js';

export const NPM_TOOLS = ['npm'];
/** A registry on the Internet takes its time, in milliseconds. */
const DEADLINE_MS = 300_000;

/** Popular packages that pull in more than fifty others. */
const PROJECT = {
  name: 'lab-project',
  version: '1.0.0',
  private: true,
  dependencies: { express: '4.21.2', yargs: '17.7.2' },
};

export class NpmClient {
  readonly #place: Place;
  readonly #registryUrl: string;
  readonly #directory: string;

  constructor(place: Place, name: string, registryUrl: string) {
    this.#place = place;
    this.#registryUrl = registryUrl;
    this.#directory = join(place.directory, name);
    mkdirSync(this.#directory, { recursive: true });
    writeFileSync(join(this.#directory, 'package.json'), JSON.stringify(PROJECT));
  }

  /** Resolves the project's whole tree; returns the lock file. */
  async lock(): Promise<string> {
    await this.#npm('install', '--package-lock-only', '--ignore-scripts');
    return join(this.#directory, 'package-lock.json');
  }

  /** Installs what the lock file says, from nothing. */
  async install(lockFile: string): Promise<void> {
    const own = join(this.#directory, 'package-lock.json');
    if (own !== lockFile) copyFileSync(lockFile, own);
    await this.#npm('ci', '--ignore-scripts');
  }

  /** How many packages are installed, nested ones included. */
  countPackages(): number {
    const file = join(this.#directory, 'node_modules', '.package-lock.json');
    const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: object };
    return Object.keys(packages).length;
  }

  /** One digest over every name and every byte of the installed tree. */
  treeSha256(): string {
    const hash = createHash('sha256');
    const root = join(this.#directory, 'node_modules');
    const entries = readdirSync(root, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    for (const file of files) {
      const bytes = readFileSync(file);
      hash.update(`${file.slice(root.length)} ${bytes.length}\n`).update(bytes);
    }
    return hash.digest('hex');
  }

  async #npm(...args: readonly string[]): Promise<void> {
    const settings = {
      registry: this.#registryUrl,
      // The metadata names the registry's own host in every tarball's URL.
      replace_registry_host: 'always',
      cache: join(this.#directory, 'cache'),
      userconfig: join(this.#directory, 'no-userconfig'),
      globalconfig: join(this.#directory, 'no-globalconfig'),
      audit: 'false',
      fund: 'false',
      update_notifier: 'false',
      fetch_retries: '0',
    };
    const entries = Object.entries(settings).map(([name, value]) => [`npm_config_${name}`, value]);
    const options = { env: Object.fromEntries(entries), cwd: this.#directory };
    const done = await this.#place.run('npm', args, { ...options, deadlineMs: DEADLINE_MS });
    succeeded(`npm ${args.join(' ')} on ${this.#place.name}`, done);
  }
}
