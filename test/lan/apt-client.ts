/**
 * A real apt with a root directory of its own: own sources, state, cache and installed system.
 *
 * The machine's apt configuration, sources and packages are neither read nor touched. Packages are
 * really unpacked and configured, by dpkg, into the root.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { succeeded } from './command.js';
import { type Archive, SUITE } from './debian-repository.js';
import { ORIGIN_NAME } from './lan.js';
import type { Place } from './place.js';

export const APT_TOOLS = ['apt-get', 'dpkg', 'gpgv'];

/** Where dpkg keeps what is installed, below the root. */
const STATUS_FILE = 'var/lib/dpkg/status';

/** How apt gets at its proxy. */
export interface AptProxy {
  /** A proxy that must be there. */
  readonly fixed?: string;
  /** A script that names one, or says DIRECT. */
  readonly detect?: string;
}

export class AptClient {
  readonly #place: Place;
  readonly #root: string;

  constructor(place: Place, name: string, archive: Archive, proxy: AptProxy) {
    this.#place = place;
    this.#root = join(place.directory, name);
    for (const directory of DIRECTORIES) {
      mkdirSync(join(this.#root, directory), { recursive: true });
    }
    writeFileSync(join(this.#root, STATUS_FILE), '');
    writeFileSync(join(this.#root, 'apt.conf'), configuration(this.#root, archive, proxy));
    const source = `deb [signed-by=${archive.keyFile}] http://${ORIGIN_NAME}${archive.path}`;
    writeFileSync(join(this.#root, 'etc/apt/sources.list'), `${source} ${SUITE} main\n`);
  }

  async update(): Promise<void> {
    await this.#apt('update', '--error-on=any');
  }

  async install(names: readonly string[]): Promise<void> {
    await this.#apt('install', '--yes', ...names);
  }

  /** How many packages are installed and configured in the root. */
  countInstalled(): number {
    const status = readFileSync(join(this.#root, STATUS_FILE), 'utf8');
    return status.split('\n').filter((line) => line === 'Status: install ok installed').length;
  }

  async #apt(...args: readonly string[]): Promise<void> {
    const env = { APT_CONFIG: join(this.#root, 'apt.conf'), DEBIAN_FRONTEND: 'noninteractive' };
    const done = await this.#place.run('apt-get', ['-q', ...args], { env, cwd: this.#root });
    succeeded(`apt-get ${args.join(' ')} on ${this.#place.name}`, done);
  }
}

const DIRECTORIES = [
  'etc/apt/apt.conf.d',
  'etc/apt/preferences.d',
  'usr/share',
  'var/cache/apt/archives/partial',
  'var/lib/apt/lists/partial',
  'var/lib/dpkg/info',
  'var/lib/dpkg/updates',
  'var/log/apt',
];

function configuration(root: string, { architecture }: Archive, proxy: AptProxy): string {
  const settings: Record<string, string> = {
    Dir: root,
    'Dir::State::status': join(root, STATUS_FILE),
    'APT::Architecture': architecture,
    // The temporary directory is readable by its owner only, and apt would drop to another user.
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '0',
    'Dpkg::Use-Pty': 'false',
  };
  if (proxy.fixed !== undefined) settings['Acquire::http::Proxy'] = proxy.fixed;
  if (proxy.detect !== undefined) settings['Acquire::http::Proxy-Auto-Detect'] = proxy.detect;
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";`);
  const dpkg = [`--root=${root}`, '--force-unsafe-io', '--log=/dev/null'];
  return `${[
    ...lines,
    `APT::Architectures { "${architecture}"; };`,
    `DPkg::Options { ${dpkg.map((option) => `"${option}";`).join(' ')} };`,
  ].join('\n')}\n`;
}
