/**
 * The real freshclam, clamd and clamscan of Debian, trusting a test's own publisher.
 *
 * The publisher's keys are constants inside two libraries. Copies of these libraries get the test's
 * keys in their place, and the programs are started by scripts that load the copies; nothing of the
 * system is changed, and everything else of the programs is as it is shipped.
 */
import { chmodSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ClamavKeys, PUBLISHER_KEYS } from '@peerage/antivirus/clamav/keys.js';
import { CodedError } from '@peerage/sdk';
import { missingTools } from './tools.js';

const LIBRARIES = ['libclamav.so.12', 'libfreshclam.so.3'];
const LIBRARY_DIRECTORIES = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib'];
const PROGRAMS: Readonly<Record<string, string>> = {
  freshclam: '/usr/bin/freshclam',
  clamscan: '/usr/bin/clamscan',
  clamd: '/usr/sbin/clamd',
};

/** Why the programs cannot be used here, `undefined` if they can. */
export function missingClamav(): string | undefined {
  const missing = missingTools(Object.keys(PROGRAMS));
  if (missing !== undefined) {
    return `${missing} (Debian: clamav, clamav-freshclam, clamav-daemon)`;
  }
  return LIBRARIES.every((name) => libraryPath(name) !== undefined)
    ? undefined
    : `skipped: needs ${LIBRARIES.join(' and ')} (ClamAV 1.4)`;
}

/** A library of the system, and the copy that a test wants in its place. */
export interface ExchangedLibrary {
  readonly original: string;
  readonly copy: string;
}

/** Makes copies of the libraries with other keys below a directory. */
export function exchangeKeys(directory: string, keys: ClamavKeys): ExchangedLibrary[] {
  mkdirSync(directory, { recursive: true });
  return LIBRARIES.map((name) => {
    const original = realpathSync(libraryPath(name) ?? '');
    const copy = join(directory, name);
    writeFileSync(copy, withKeys(readFileSync(original), keys));
    return { original, copy };
  });
}

/** Makes the programs below a directory; gives the directory that they are in. */
export function installClamav(directory: string, keys: ClamavKeys): string {
  const [libraries, programs] = [join(directory, 'lib'), join(directory, 'bin')];
  exchangeKeys(libraries, keys);
  mkdirSync(programs, { recursive: true });
  for (const [name, path] of Object.entries(PROGRAMS)) {
    const script = `#!/bin/sh\nLD_LIBRARY_PATH='${libraries}' exec ${path} "$@"\n`;
    writeFileSync(join(programs, name), script);
    chmodSync(join(programs, name), 0o755);
  }
  return programs;
}

function libraryPath(name: string): string | undefined {
  return LIBRARY_DIRECTORIES.map((directory) => join(directory, name)).find((path) => {
    try {
      realpathSync(path);
      return true;
    } catch {
      return false;
    }
  });
}

/** The library with each of the publisher's moduli exchanged for the test's. */
function withKeys(library: Buffer, keys: ClamavKeys): Buffer {
  const changed = Buffer.from(library);
  let count = 0;
  for (const kind of ['header', 'contents', 'difference'] as const) {
    const old = PUBLISHER_KEYS[kind].modulus;
    const fresh = keys[kind].modulus.padStart(old.length, '0');
    if (fresh.length !== old.length) {
      throw new CodedError('E_LAB_KEYS', `a modulus of ${fresh.length} digits`, {
        expected: `at most ${old.length} digits`,
      });
    }
    for (let at = changed.indexOf(old); at >= 0; at = changed.indexOf(old, at + 1)) {
      changed.write(fresh, at, 'latin1');
      count += 1;
    }
  }
  if (count > 0) return changed;
  throw new CodedError('E_LAB_KEYS', 'the library does not have the keys of the publisher', {
    expected: 'libclamav and libfreshclam 1.4',
  });
}
