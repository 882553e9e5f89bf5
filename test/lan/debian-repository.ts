/**
 * A small Debian repository, as an origin for apt: real packages, indexes by hash, signed.
 *
 * Built with Debian's own tools on the origin's host: dpkg-deb packs, apt-ftparchive indexes, gpg
 * signs with a key made for this run (its agent lives in the host's namespace and ends with it).
 * Invariant: what apt verifies here it verifies as it would a real archive, nothing is `trusted`.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { succeeded } from './command.js';
import { content } from './content.js';
import type { Place } from './place.js';

/** The programs that building one takes. */
export const REPOSITORY_TOOLS = ['dpkg', 'dpkg-deb', 'apt-ftparchive', 'gpg'];
export const SUITE = 'lab';
const ARCHIVE = 'debian';
const SIGNER = 'Peerage lab';

interface PackagePlan {
  readonly name: string;
  readonly sizeBytes: number;
  readonly depends?: string;
}

/** Eight packages: four that pull each other in, four on their own. */
const PLANS: readonly PackagePlan[] = [
  { name: 'lab-chain-top', sizeBytes: 240_000, depends: 'lab-chain-upper (>= 1.0)' },
  { name: 'lab-chain-upper', sizeBytes: 280_000, depends: 'lab-chain-lower' },
  { name: 'lab-chain-lower', sizeBytes: 320_000, depends: 'lab-chain-base' },
  { name: 'lab-chain-base', sizeBytes: 360_000 },
  { name: 'lab-tool-a', sizeBytes: 200_000 },
  { name: 'lab-tool-b', sizeBytes: 300_000 },
  { name: 'lab-tool-c', sizeBytes: 400_000 },
  { name: 'lab-tool-d', sizeBytes: 500_000 },
];

/** What to install so that all eight come. */
export const WANTED = ['lab-chain-top', 'lab-tool-a', 'lab-tool-b', 'lab-tool-c', 'lab-tool-d'];

export interface Archive {
  /** What the origin serves. */
  readonly root: string;
  /** The path of the archive below the root, as a sources.list names it. */
  readonly path: string;
  /** The public key that clients trust. */
  readonly keyFile: string;
  readonly architecture: string;
  readonly packages: readonly { readonly path: string; readonly sizeBytes: number }[];
}

/** Builds the repository in the place's directory. */
export async function buildArchive(place: Place): Promise<Archive> {
  const run = async (command: string, args: readonly string[], cwd: string) =>
    succeeded(command, await place.run(command, args, { cwd })).stdout;
  const root = join(place.directory, 'www');
  const archive = join(root, ARCHIVE);
  const pool = join(archive, 'pool', 'main');
  mkdirSync(pool, { recursive: true });
  const architecture = (await run('dpkg', ['--print-architecture'], root)).trim();
  const packages: { path: string; sizeBytes: number }[] = [];
  for (const plan of PLANS) {
    const tree = unpackedTree(join(place.directory, 'build', plan.name), plan);
    const file = `${plan.name}_1.0_all.deb`;
    await run('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', tree, file], pool);
    const sizeBytes = statSync(join(pool, file)).size;
    packages.push({ path: `/${ARCHIVE}/pool/main/${file}`, sizeBytes });
  }
  const suite = join(archive, 'dists', SUITE);
  writeIndexes(
    join(suite, 'main', `binary-${architecture}`),
    await run('apt-ftparchive', ['packages', 'pool'], archive),
  );
  const release = await run('apt-ftparchive', [...releaseOptions(architecture), suite], archive);
  writeFileSync(join(suite, 'Release'), release);
  const keyFile = await sign(place, suite);
  return { root, path: `/${ARCHIVE}/`, keyFile, architecture, packages };
}

function unpackedTree(tree: string, { name, sizeBytes, depends }: PackagePlan): string {
  const data = join(tree, 'usr', 'share', name);
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'data.bin'), Buffer.concat([...content(name, 0, sizeBytes)]));
  const fields = [
    `Package: ${name}`,
    'Version: 1.0',
    'Architecture: all',
    `Maintainer: ${SIGNER} <lab@origin.test>`,
    ...(depends === undefined ? [] : [`Depends: ${depends}`]),
    'Description: content made for a test',
  ];
  writeFileSync(join(tree, 'DEBIAN', 'control'), `${fields.join('\n')}\n`);
  return tree;
}

/** The index, plain and compressed, each also under the names that by-hash clients ask for. */
function writeIndexes(directory: string, packages: string): void {
  const byHash = join(directory, 'by-hash', 'SHA256');
  mkdirSync(byHash, { recursive: true });
  const forms: Record<string, Buffer> = {
    Packages: Buffer.from(packages),
    'Packages.gz': gzipSync(packages),
  };
  for (const [name, bytes] of Object.entries(forms)) {
    writeFileSync(join(directory, name), bytes);
    const digest = createHash('sha256')
      .update(readFileSync(join(directory, name)))
      .digest('hex');
    copyFileSync(join(directory, name), join(byHash, digest));
  }
}

function releaseOptions(architecture: string): string[] {
  const fields = {
    Origin: SIGNER,
    Suite: SUITE,
    Codename: SUITE,
    Architectures: `${architecture} all`,
    Components: 'main',
    'Acquire-By-Hash': 'yes',
    // As in Debian's own archive: clients ask for the by-hash name of the strongest digest.
    MD5: 'no',
    SHA1: 'no',
    SHA512: 'no',
  };
  const options = Object.entries(fields).flatMap(([name, value]) => [
    '-o',
    `APT::FTPArchive::Release::${name}=${value}`,
  ]);
  return [...options, 'release'];
}

/** Signs the Release file within itself (InRelease); returns the public key's file. */
async function sign(place: Place, suite: string): Promise<string> {
  const home = join(place.directory, 'gnupg');
  mkdirSync(home, { mode: 0o700 });
  const keyFile = join(place.directory, 'archive-key.gpg');
  const gpg = async (...args: readonly string[]) => {
    const options = ['--homedir', home, '--batch', '--quiet', '--passphrase', '', ...args];
    succeeded('gpg', await place.run('gpg', options));
  };
  await gpg('--quick-generate-key', SIGNER, 'ed25519', 'sign', 'never');
  await gpg('--output', keyFile, '--export', SIGNER);
  const files = ['--output', join(suite, 'InRelease'), join(suite, 'Release')];
  await gpg('--pinentry-mode', 'loopback', '--clearsign', ...files);
  return keyFile;
}
