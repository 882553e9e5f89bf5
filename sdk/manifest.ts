/**
 * The shape of a plugin's manifest (the `peerage` section of its package.json) and of the admin's
 * grant in plugins.json. What a plugin may do is what both allow; the core checks every call.
 */

/** Wildcard patterns of URLs: `*` matches any run of characters, nothing else is special. */
export type UrlPattern = string;

/**
 * How a plugin's service gets its provider (PROTOCOL §8.1): `own` elects one for this plugin,
 * `network` goes by the LAN's common one, `none` has none.
 */
export type ElectionMode = 'own' | 'network' | 'none';

/** An election with criteria of the plugin's own, the weightiest first. */
export interface ElectionWish {
  readonly mode: ElectionMode;
  readonly criteria?: readonly string[];
}

/**
 * When a plugin's process is started: with the core (`start`), when somebody asks for a URL that it
 * serves best (`url`), when this node is elected its provider (`elected`), soon after the core, when
 * all plugins of `start` are active (`schedule`), when one of its commands is used (`command`).
 */
export type ActivationEvent = 'start' | 'url' | 'elected' | 'schedule' | 'command';

/** A command that the plugin adds: `peerage <plugin id> <name> …`. */
export interface CommandDescription {
  /** Lower-case letters, digits and dashes. */
  readonly name: string;
  /** One line for `peerage --help`. */
  readonly description: string;
  /** What stands behind the name, for example `LIST [--dry-run]`. */
  readonly usage?: string;
}

/** A program that the core may run for the plugin, without a shell. */
export interface ProgramWish {
  /** What the plugin calls it by. */
  readonly name: string;
  /** Absolute path, or a name that is looked up in the core's own short PATH. */
  readonly command: string;
  /**
   * Each one argument, as a template: literal text, `{name}` for a value that the plugin gives (it
   * must not begin with `-`), `{file:name}` for a path below the plugin's data directory or a
   * granted write path.
   */
  readonly arguments: readonly string[];
}

/** What a plugin needs beyond URLs. */
export interface PermissionWishes {
  readonly programs?: readonly ProgramWish[];
  /** TCP and UDP ports that it listens on; `any` for whichever is free or in its settings. */
  readonly listen?: readonly (number | 'any')[];
  /** Absolute paths that it writes to beside its data directory. */
  readonly writePaths?: readonly string[];
  /** Whether it may look at this node's status, peers and downloads. */
  readonly status?: boolean;
}

export interface PluginManifest {
  /** The version of the plugin interface it was written for; this core speaks 1. */
  readonly api: number;
  /** Lower-case letters, digits and dashes; the `service` of its packets. */
  readonly id: string;
  readonly displayName: string;
  /** The URLs that it asks for; the admin's grant can only narrow them. */
  readonly urls: readonly UrlPattern[];
  /** The URLs that `upload()` may send to. */
  readonly uploads?: readonly UrlPattern[];
  /**
   * The URIs that `publish()` may name, for example `clamav:*`; `open()` may as well. To publish
   * under an http URL is to vouch for what its origin says, so such a URL must be named here too.
   */
  readonly publishes?: readonly UrlPattern[];
  readonly election: ElectionMode | ElectionWish;
  readonly activation: readonly ActivationEvent[];
  /** JSON Schema (draft 7) of its settings, with defaults. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly commands?: readonly CommandDescription[];
  readonly permissions?: PermissionWishes;
}

/**
 * What the admin grants. Absent lists of URLs, uploads and publications grant what the manifest
 * wishes; programs, write paths and status are granted only by naming them.
 */
export interface PluginGrant {
  readonly urls?: readonly UrlPattern[];
  readonly uploads?: readonly UrlPattern[];
  readonly publishes?: readonly UrlPattern[];
  /** Names of programs of the manifest. */
  readonly programs?: readonly string[];
  readonly listen?: readonly (number | 'any')[];
  readonly writePaths?: readonly string[];
  readonly status?: boolean;
  /** Heap of its process in MiB, 256 by default. */
  readonly memoryMiB?: number;
  /** `false`: its process gets no network at all (Linux, needs the right to make namespaces). */
  readonly network?: boolean;
  /** The user id that its process runs as (the core must run as root). */
  readonly uid?: number;
  /** `false`: Node's permission flags are not set, for a plugin with native parts. */
  readonly confine?: boolean;
}
