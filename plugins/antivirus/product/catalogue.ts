/**
 * The catalogue of a product feed: for each component the newest version, its files, and how to
 * find out what is installed. It is a target of the feed's TUF repository, as the files are; their
 * sizes and digests stand in the signed metadata, not here.
 */
import { CodedError } from '@peerage/sdk';
import { isName, type Recall } from '@peerage/update-agent';

/** The name of the catalogue among the targets. */
export const CATALOGUE_NAME = 'catalogue.json';
/** Largest catalogue, in bytes: a component takes about 300. */
export const MAX_CATALOGUE_BYTES = 256 * 1024;
const MAX_COMPONENTS = 64;
const MAX_FILES = 32;
const MAX_RECALLS = 64;

/** How to find the version that is installed. */
export type InstalledBy =
  /** The one that was put in force last. */
  | { readonly by: 'reported' }
  /** The first line of a file of the directory that files are placed in. */
  | { readonly by: 'file'; readonly name: string }
  /** What the admin's program says for the component. */
  | { readonly by: 'command' };

export interface CatalogueComponent {
  readonly name: string;
  readonly version: string;
  readonly builtAtMs: number;
  /** Names of files; the target of each is `<component>/<version>/<file>`. */
  readonly files: readonly string[];
  readonly installed: InstalledBy;
}

export interface Catalogue {
  readonly components: readonly CatalogueComponent[];
  readonly recalls: readonly Recall[];
}

/** The target of a file. */
export function targetOf(component: string, version: string, file: string): string {
  return `${component}/${version}/${file}`;
}

/** Reads a catalogue. @throws CodedError `E_FEED_CATALOGUE` */
export function parseCatalogue(bytes: Uint8Array): Catalogue {
  const parsed = asRecord(parseJson(bytes));
  const components = asList(parsed['components'], MAX_COMPONENTS).map(readComponent);
  const recalls = asList(parsed['recalls'] ?? [], MAX_RECALLS).map((one) => {
    const recall = asRecord(one);
    const [component, version, backTo] = [recall['component'], recall['version'], recall['backTo']];
    return { component: asName(component), version: asName(version), backTo: asName(backTo) };
  });
  return { components, recalls };
}

function readComponent(value: unknown): CatalogueComponent {
  const one = asRecord(value);
  const builtAtMs = one['builtAtMs'];
  return {
    name: asName(one['name']),
    version: asName(one['version']),
    builtAtMs: typeof builtAtMs === 'number' && Number.isSafeInteger(builtAtMs) ? builtAtMs : 0,
    files: asList(one['files'], MAX_FILES).map(asName),
    installed: readInstalled(one['installed']),
  };
}

function readInstalled(value: unknown): InstalledBy {
  if (value === undefined) return { by: 'reported' };
  const { by, name } = asRecord(value);
  if (by === 'file') return { by, name: asName(name) };
  if (by === 'command' || by === 'reported') return { by };
  throw invalid(`"installed" by ${String(by).slice(0, 40)}`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw invalid('it is no JSON');
  }
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw invalid('an object is missing');
}

function asList(value: unknown, max: number): readonly unknown[] {
  if (Array.isArray(value) && value.length <= max) return value as readonly unknown[];
  throw invalid(`a list of at most ${max} is missing`);
}

function asName(value: unknown): string {
  if (typeof value === 'string' && isName(value)) return value;
  throw invalid(`a name is missing or wrong: ${JSON.stringify(value ?? null).slice(0, 60)}`);
}

function invalid(what: string): CodedError {
  return new CodedError('E_FEED_CATALOGUE', `the catalogue of a feed cannot be used: ${what}`, {
    expected: 'components with name, version and files',
    action: 'correct it at the publisher and publish again',
  });
}
