/**
 * The settings of the plugin, as the host hands them over.
 *
 * Their schema, defaults and descriptions are in package.json, section `peerage.settings`; the
 * host checks and completes them before the plugin starts. The types here say the same in code.
 */
import type { Rule } from './policy.js';

/** Where a listener binds. */
export interface ListenSettings {
  readonly address: string;
  /** 0 picks a free port. */
  readonly port: number;
}

/** One upstream, mounted at `/` of a port of its own. */
export interface MirrorSettings {
  readonly port: number;
  readonly upstream: string;
  /** The proxy's own listen address if absent. */
  readonly address?: string;
}

export interface UrlCacheSettings {
  readonly listen: ListenSettings;
  readonly connectPorts: readonly number[];
  readonly mirrors: readonly MirrorSettings[];
  /** Names of this machine, besides its own and localhost, that clients use. */
  readonly names: readonly string[];
  /** Applied after the rules that the plugin ships, so that they win. */
  readonly rules: readonly Rule[];
  /** Connections per listener. */
  readonly maxConnections: number;
}
