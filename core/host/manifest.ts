/**
 * From an entry of plugins.json to a checked manifest: where the package is, what it says, what it
 * may do. Flow 3: plugins.json ─► manifest ─► order ─► spawn ─► grant ─► activate.
 */
import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CodedError, type PluginManifest } from '@peerage/sdk';
import { Ajv } from 'ajv';
import type { Configuration, PluginEntry } from '../ports/configuration.js';
import { checkInstalled } from './integrity.js';
import { MANIFEST_SCHEMA } from './manifest-schema.js';

/** Versions of the plugin interface that this core speaks: the newest and the one before it. */
export const API_VERSIONS: readonly number[] = [1];

/** Everything that is known of a plugin before it runs. */
export interface PluginPackage {
  readonly manifest: PluginManifest;
  readonly version: string;
  /** URL of its main module. */
  readonly main: string;
  readonly directory: string;
  readonly entry: PluginEntry;
  /** Its settings, judged and completed. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** When its main module was last written, milliseconds since 1970; 0 if it is not there. */
  readonly changedAtMs: number;
}

/** Reads and judges the package of one entry. @throws CodedError `E_PLUGIN_*`, `E_CONFIG_INVALID` */
export async function readPlugin(
  id: string,
  entry: PluginEntry,
  configuration: Configuration,
): Promise<PluginPackage> {
  const file = await locatePackage(entry.use, configuration.file);
  const parsed = await readPackage(id, file);
  const manifest = judgeManifest(id, file, parsed.peerage);
  const directory = dirname(file);
  const main = typeof parsed.main === 'string' ? parsed.main : 'index.js';
  const version = typeof parsed.version === 'string' ? parsed.version : '0.0.0';
  await checkInstalled(id, entry, { version, directory });
  return {
    manifest,
    version,
    main: pathToFileURL(join(directory, main)).href,
    directory,
    entry,
    settings: checkSettings(id, file, manifest, configuration),
    changedAtMs: await stat(join(directory, main)).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ),
  };
}

interface PackageJson {
  readonly version?: unknown;
  readonly main?: unknown;
  readonly peerage?: unknown;
}

async function readPackage(id: string, file: string): Promise<PackageJson> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) throw new Error('it holds no object');
    return parsed;
  } catch (cause) {
    throw new CodedError('E_PLUGIN_MANIFEST', `plugin ${id}: ${file} cannot be read`, { cause });
  }
}

/** @throws CodedError `E_CONFIG_INVALID` by the settings, `E_PLUGIN_MANIFEST` by their schema */
function checkSettings(
  id: string,
  file: string,
  manifest: PluginManifest,
  configuration: Configuration,
): Record<string, unknown> {
  try {
    return configuration.checkSettings(id, manifest.settings);
  } catch (cause) {
    if (cause instanceof CodedError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CodedError(
      'E_PLUGIN_MANIFEST',
      `plugin ${id}: ${file}: "peerage/settings" is no JSON Schema: ${why.slice(0, 300)}`,
      { expected: 'a JSON Schema (draft 7)', cause },
    );
  }
}

function judgeManifest(id: string, file: string, manifest: unknown): PluginManifest {
  const validate = new Ajv({ useDefaults: true, strict: false }).compile<PluginManifest>(
    MANIFEST_SCHEMA,
  );
  if (!validate(manifest)) {
    const [error] = validate.errors ?? [];
    const extra = error?.params['additionalProperty'];
    const which = extra === undefined ? '' : ` "${String(extra)}"`;
    throw new CodedError(
      'E_PLUGIN_MANIFEST',
      `plugin ${id}: ${file}: "peerage${error?.instancePath ?? ''}" ${error?.message ?? 'is missing'}${which}`,
      {
        expected: 'a manifest as in sdk/manifest.ts',
      },
    );
  }
  if (manifest.id !== id) {
    throw new CodedError(
      'E_PLUGIN_MANIFEST',
      `plugin ${id}: its manifest says it is "${manifest.id}"`,
      {
        action: `name the entry "${manifest.id}" in plugins.json`,
      },
    );
  }
  if (!API_VERSIONS.includes(manifest.api)) {
    throw new CodedError('E_PLUGIN_API', `plugin ${id} needs plugin interface ${manifest.api}`, {
      expected: `one of ${API_VERSIONS.join(', ')}`,
      action: 'update Peerage or the plugin',
    });
  }
  return manifest;
}

/** The package.json of a package name or a directory, as seen from plugins.json or the core. */
export async function locatePackage(use: string, configurationFile: string): Promise<string> {
  const base = dirname(resolve(configurationFile));
  if (isAbsolute(use) || use.startsWith('.')) return join(resolve(base, use), 'package.json');
  for (const from of [join(base, 'plugins.json'), import.meta.url]) {
    for (const folder of createRequire(from).resolve.paths(use) ?? []) {
      const file = join(folder, use, 'package.json');
      const found = await readFile(file).then(
        () => true,
        () => false,
      );
      if (found) return file;
    }
  }
  throw new CodedError('E_PLUGIN_NOT_FOUND', `plugin package ${use} is not installed`, {
    action: `npm install ${use}, or disable it in plugins.json`,
  });
}
