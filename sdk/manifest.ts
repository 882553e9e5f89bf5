/** The shape of a plugin's manifest: the `peerage` section of its package.json. */

/** Wildcard patterns of URLs: `*` matches any run of characters, nothing else is special. */
export type UrlPattern = string;

/** How a plugin's service gets its provider (PROTOCOL §8.1). */
export type ElectionMode = 'own' | 'network' | 'none';

export interface PluginManifest {
  /** The version of the plugin interface it was written for: 1. */
  readonly api: number;
  /** Lower-case letters, digits and dashes; the `service` of its packets. */
  readonly id: string;
  readonly displayName: string;
  /** The URLs that it asks for; the admin's grant can only narrow them. */
  readonly urls: readonly UrlPattern[];
  readonly election: ElectionMode;
  /** When its process is started; `start` is with the core. */
  readonly activation: readonly 'start'[];
  /** JSON Schema (draft 7 subset of ajv) of its settings, with defaults. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What the admin grants; the manifest's own wishes if absent. */
export interface PluginGrant {
  readonly urls?: readonly UrlPattern[];
  readonly memoryMiB?: number;
}
