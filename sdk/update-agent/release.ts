/**
 * What a feed offers: for each component its newest version and the files of it.
 *
 * A feed's poller makes releases from whatever the feed publishes (a TUF catalogue, the header of
 * a CVD, a list of addresses); everything after that deals in releases only.
 */
import { CodedError } from '@peerage/sdk';
import { MAX_COMPONENTS, MAX_FILE_BYTES, MAX_FILES, MAX_URL_CHARACTERS } from './limits.js';
import { demandName } from './version.js';

/** One file of a release, requested by a transaction of its own. */
export interface ReleaseFile {
  /** Its name below the directory of the version. */
  readonly name: string;
  /** Where the origin has it, or what it was published under; best if for one version alone. */
  readonly url: string;
  /** Whether the URL names one version for ever, so that any copy of it will do. */
  readonly isVersioned?: boolean;
  /** Exact size, if the feed says so; an answer of another size is refused. */
  readonly sizeBytes?: number;
  /** Largest size that is accepted where the feed does not say; 512 MiB if absent. */
  readonly sizeMaxBytes?: number;
  /** Lower-case hexadecimal, if the feed says so; known digests let any peer serve it. */
  readonly sha256?: string;
}

/** One version of one component. */
export interface Release {
  readonly component: string;
  readonly version: string;
  readonly files: readonly ReleaseFile[];
  /** When the publisher made it, milliseconds since 1970, for the age in the status. */
  readonly builtAtMs?: number;
}

/** Holds releases against the limits. @throws CodedError `E_UPDATE_CATALOGUE`, `E_UPDATE_NAME` */
export function judgeReleases(releases: readonly Release[]): readonly Release[] {
  if (releases.length > MAX_COMPONENTS) throw invalid(`${releases.length} components`);
  const seen = new Set<string>();
  for (const release of releases) {
    demandName('component', release.component);
    demandName('version', release.version);
    if (seen.has(release.component)) throw invalid(`${release.component} twice`);
    seen.add(release.component);
    judgeFiles(release);
  }
  return releases;
}

function judgeFiles({ component, files }: Release): void {
  if (files.length === 0 || files.length > MAX_FILES) {
    throw invalid(`${files.length} files in ${component}`);
  }
  const names = new Set<string>();
  for (const file of files) {
    demandName('file name', file.name);
    if (names.has(file.name)) throw invalid(`${file.name} twice in ${component}`);
    names.add(file.name);
    if (!/^[a-z][a-z0-9+-]*:/.test(file.url) || file.url.length > MAX_URL_CHARACTERS) {
      throw invalid(`the URL ${file.url.slice(0, 100)}`);
    }
    const bytes = file.sizeBytes ?? 0;
    if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > (file.sizeMaxBytes ?? MAX_FILE_BYTES))
      throw invalid(`${file.name} of ${bytes} bytes`);
    if (file.sha256 !== undefined && !/^[0-9a-f]{64}$/.test(file.sha256)) {
      throw invalid(`the digest of ${file.name}`);
    }
  }
}

function invalid(what: string): CodedError {
  return new CodedError('E_UPDATE_CATALOGUE', `a catalogue cannot be used: ${what}`, {
    expected: `at most ${MAX_COMPONENTS} components of at most ${MAX_FILES} files, each with URL`,
    action: 'correct the catalogue at its publisher',
  });
}
