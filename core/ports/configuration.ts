/**
 * plugins.json, the admin's one file: read, checked against schemas, every fault named with file,
 * line, key, what was expected and the nearest valid key. Nothing is half-applied: the caller gets
 * the whole, with defaults filled in, or one error that lists all faults.
 */
import { readFile } from 'node:fs/promises';
import { CodedError, type PluginGrant } from '@peerage/sdk';
import { Ajv, type ErrorObject } from 'ajv';
import {
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';
import { PLUGIN_SCHEMA } from './plugin-schema.js';
import { CORE_SCHEMA, type CoreSettings } from './settings.js';

/** One plugin's entry. */
export interface PluginEntry {
  /** The npm package, or a path to its directory. */
  readonly use: string;
  /** The one version that may run, if it is pinned. */
  readonly version?: string;
  /** Digest of its files, if they are pinned. */
  readonly integrity?: string;
  readonly enabled: boolean;
  readonly grant: PluginGrant;
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface Configuration {
  readonly file: string;
  readonly core: CoreSettings;
  readonly plugins: Readonly<Record<string, PluginEntry>>;
  /** Judges a plugin's settings by its manifest's schema; returns them with defaults filled in. */
  checkSettings(id: string, schema: object): Record<string, unknown>;
}

/** The schema of plugins.json; plugins' own settings are judged by their manifests. */
export const CONFIGURATION_SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  additionalProperties: false,
  properties: {
    $schema: { type: 'string' },
    core: CORE_SCHEMA,
    plugins: {
      type: 'object',
      default: {},
      propertyNames: { pattern: '^[a-z][a-z0-9-]{0,40}$' },
      additionalProperties: PLUGIN_SCHEMA,
    },
  },
} as const;

function newAjv(): Ajv {
  return new Ajv({
    allErrors: true,
    useDefaults: true,
    strict: false,
    logger: false,
    verbose: true,
  });
}

/** Reads and checks the file. @throws CodedError `E_CONFIG_UNREADABLE`, `E_CONFIG_INVALID` */
export async function readConfiguration(file: string): Promise<Configuration> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new CodedError('E_CONFIG_UNREADABLE', `${file} cannot be read`, {
      expected: 'a plugins.json that the service may read',
      cause,
    });
  }
  return parseConfiguration(text, file);
}

/** The same for a text. @throws CodedError `E_CONFIG_INVALID` */
export function parseConfiguration(written: string, file: string): Configuration {
  // Some editors begin a file with a byte order mark; a space keeps all offsets.
  const text = written.replace(/^\ufeff/, ' ');
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined || tree === undefined) {
    const line = lineOf(text, first?.offset ?? 0);
    const what = first === undefined ? 'it is empty' : printParseErrorCode(first.error);
    throw invalid([`${file}:${line}: not JSON: ${what}`]);
  }
  const source = new Source(text, file, tree);
  const repeated = source.repeatedKeys(tree);
  if (repeated.length > 0) throw invalid(repeated);
  const root = getNodeValue(tree) as { core: CoreSettings; plugins: Record<string, PluginEntry> };
  check(source, CONFIGURATION_SCHEMA, root, []);
  const { core, plugins } = root;
  return {
    file,
    core: core ?? withDefaults(CORE_SCHEMA),
    plugins: plugins ?? {},
    checkSettings: (id, schema) => {
      const settings = structuredClone(plugins?.[id]?.settings ?? {}) as Record<string, unknown>;
      check(source, schema, settings, ['plugins', id, 'settings']);
      return settings;
    },
  };
}

/** An object that only says the defaults. */
export function withDefaults<T>(schema: object): T {
  const value = {};
  newAjv().compile(schema)(value);
  return value as T;
}

class Source {
  private readonly text: string;
  private readonly file: string;
  private readonly tree: Node;

  constructor(text: string, file: string, tree: Node) {
    this.text = text;
    this.file = file;
    this.tree = tree;
  }

  /** `file:line` of the deepest part of the path that the file has. */
  place(path: readonly string[]): string {
    let node = this.tree;
    for (const step of path) {
      const next = findNodeAtLocation(node, [node.type === 'array' ? Number(step) : step]);
      if (next === undefined) break;
      node = next;
    }
    return this.placeOf(node.parent?.type === 'property' ? node.parent : node);
  }

  /** A fault for every key that stands twice in one object: only the last one would count. */
  repeatedKeys(node: Node): string[] {
    const children = node.children ?? [];
    const seen = new Set<unknown>();
    const faults = children.flatMap((child) => this.repeatedKeys(child));
    if (node.type !== 'object') return faults;
    for (const property of children) {
      const key: unknown = property.children?.[0]?.value;
      if (seen.has(key)) faults.push(`${this.placeOf(property)}: the key "${key}" stands twice`);
      seen.add(key);
    }
    return faults;
  }

  private placeOf(node: Node): string {
    return `${this.file}:${lineOf(this.text, node.offset)}`;
  }
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

function check(source: Source, schema: object, value: unknown, base: readonly string[]): void {
  const validate = newAjv().compile(schema);
  if (validate(value)) return;
  // A bad key gives two errors: what is wrong with it, and that something is.
  const errors = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'propertyNames');
  throw invalid(errors.map((error) => describe(source, error, base)));
}

function invalid(faults: readonly string[]): CodedError {
  return new CodedError('E_CONFIG_INVALID', faults.slice(0, 20).join('\n'), {
    action: 'nothing was changed; mend the lines named and try again',
  });
}

function describe(source: Source, error: ErrorObject, base: readonly string[]): string {
  const steps = error.instancePath.split('/').slice(1);
  const path = [...base, ...steps.map((step) => step.replace(/~1/g, '/').replace(/~0/g, '~'))];
  if (error.propertyName !== undefined) path.push(error.propertyName);
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params['additionalProperty']);
    const valid = Object.keys((error.parentSchema ?? error.schema ?? {}) as object);
    const near = nearest(key, knownKeys(error) ?? valid);
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    return `${source.place([...path, key])}: unknown key "${[...path, key].join('.')}"${hint}`;
  }
  return `${source.place(path)}: "${path.join('.')}" ${error.message ?? 'is wrong'}${expectation(error)}`;
}

function expectation(error: ErrorObject): string {
  if (error.keyword === 'enum')
    return `: ${(error.params['allowedValues'] as unknown[]).join(', ')}`;
  return '';
}

function knownKeys(error: ErrorObject): string[] | undefined {
  const parent = error.parentSchema as { properties?: object } | undefined;
  return parent?.properties === undefined ? undefined : Object.keys(parent.properties);
}

/** The valid key that is written most alike, if any is alike at all. */
export function nearest(key: string, valid: readonly string[]): string | undefined {
  const ranked = valid
    .map((candidate) => ({
      candidate,
      distance: editDistance(key.toLowerCase(), candidate.toLowerCase()),
    }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best !== undefined && best.distance <= Math.max(2, key.length / 2)
    ? best.candidate
    : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
