/** Where the URL cache listens by plugins.json: what clients are pointed at, and what sockets are opened. */
import { DEFAULT_CONFIGURATION } from '../default-configuration.js';
import {
  type Configuration,
  type PluginEntry,
  parseConfiguration,
  readConfiguration,
} from '../ports/configuration.js';
import type { CommandLine } from './options.js';

const CACHE = 'url-cache';
const ADDRESS = '127.0.0.1';
const PORT = 6516;

export interface CacheMirror {
  readonly port: number;
  readonly upstream: string;
}

export interface CacheListening {
  readonly configuration: Configuration;
  /** Its entry in plugins.json, if it has one. */
  readonly entry: PluginEntry | undefined;
  readonly use: string;
  readonly address: string;
  readonly port: number;
  readonly mirrors: readonly CacheMirror[];
}

/** @throws CodedError `E_CONFIG_INVALID`, `E_CONFIG_UNREADABLE` */
export async function readCacheListening({
  configurationFile,
}: CommandLine): Promise<CacheListening> {
  const configuration =
    configurationFile === undefined
      ? parseConfiguration(JSON.stringify(DEFAULT_CONFIGURATION), 'built-in plugins.json')
      : await readConfiguration(configurationFile);
  const entry = configuration.plugins[CACHE];
  const { listen, mirrors = [] } = (entry?.settings ?? {}) as {
    readonly listen?: { readonly address?: string; readonly port?: number };
    readonly mirrors?: readonly CacheMirror[];
  };
  const use = entry?.use ?? DEFAULT_CONFIGURATION.plugins[CACHE].use;
  const { address = ADDRESS, port = PORT } = listen ?? {};
  return { configuration, entry, use, address, port, mirrors };
}
