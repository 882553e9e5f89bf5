/**
 * What a plugin is, and what it is handed.
 *
 * A plugin's main module exports one class by default. The host constructs it in the plugin's own
 * process, injecting whatever services the constructor's parameters name by type, and calls
 * `activate()` once. Everything pushed to `context.subscriptions` is disposed of, last first, when
 * the plugin stops.
 */
import { sharedToken } from './injection.js';
import type { Disposable } from './lifecycle.js';

/** Structured log of one plugin; each call is one line of the core's log. */
export interface Log {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

abstract class PluginBase {
  /** Starts the plugin's work; resolves when it is ready to serve. At most 10 s. */
  abstract activate(): void | Promise<void>;
  /** Called before the subscriptions are disposed of; both together have 5 s. */
  deactivate(): void | Promise<void> {}
}

abstract class PluginContextBase<Settings = Record<string, unknown>> {
  /** The plugin's id, from its manifest. */
  abstract readonly id: string;
  /** The settings of `plugins.json`, checked against the manifest's schema, defaults filled in. */
  abstract readonly settings: Settings;
  /** A directory that only this plugin writes to; absolute. */
  abstract readonly dataDirectory: string;
  /** The version of the core that runs this plugin. */
  abstract readonly coreVersion: string;
  abstract readonly log: Log;
  /** Disposed of in reverse order when the plugin stops. */
  abstract readonly subscriptions: Disposable[];
}

/** Base class of every plugin. */
export const Plugin = sharedToken('Plugin', PluginBase);
export type Plugin = PluginBase;

/** What the host tells a plugin about itself; inject it by type. */
export const PluginContext = sharedToken('PluginContext', PluginContextBase);
export type PluginContext<Settings = Record<string, unknown>> = PluginContextBase<Settings>;
