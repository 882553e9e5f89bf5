/**
 * Constructs a plugin's class with the services that its constructor names by type: what the core's
 * runner and the test kit do alike. The container is the process's first one (see `injection`), so
 * that a plugin with a copy of this package of its own is constructed as well.
 */
import * as tsyringe from 'tsyringe';
import { CodedError } from './errors.js';
import { sharedToken } from './injection.js';
import type { Plugin } from './plugin.js';

/** A class that extends `Plugin`, whatever its constructor asks for. */
export type PluginClass = new (...services: never[]) => Plugin;

/** What constructors may name, and what they get. */
export type Offer = readonly [token: unknown, service: unknown];

const shared = sharedToken('container', tsyringe.container);

/** @throws CodedError `E_PLUGIN_SHAPE`, `E_PLUGIN_INJECTION`, or what the constructor threw */
export function construct(exported: unknown, id: string, offers: readonly Offer[]): Plugin {
  if (typeof exported !== 'function') {
    throw new CodedError('E_PLUGIN_SHAPE', `${id}: its main module exports no class by default`, {
      expected: 'export default class … extends Plugin, decorated with @injectable()',
    });
  }
  const own = shared.createChildContainer();
  for (const [token, service] of offers) own.registerInstance(token as never, service);
  try {
    return own.resolve<Plugin>(exported as never);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    if (!/TypeInfo not known|Cannot inject/.test(text)) throw cause;
    throw new CodedError('E_PLUGIN_INJECTION', `${id}: ${text}`, {
      expected:
        '@injectable() on the class, and services imported as values, not with `import type`',
      cause,
    });
  }
}
