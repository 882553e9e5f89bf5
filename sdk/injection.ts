/**
 * Constructor injection for plugins: `injectable`, and tokens that survive duplicate SDK copies.
 *
 * A plugin may bring its own copy of this package, and thus of tsyringe. Classes of two copies are
 * different objects, so injection by type would fail at run time. Therefore every token, and
 * tsyringe's own decorator, is looked up in one table of the process, filled by whoever is first.
 */
import 'reflect-metadata';
import * as tsyringe from 'tsyringe';

const TABLE = Symbol.for('peerage.sdk.tokens');

type TokenTable = Map<string, unknown>;

function table(): TokenTable {
  const holder = globalThis as { [TABLE]?: TokenTable };
  holder[TABLE] ??= new Map();
  return holder[TABLE];
}

/** The process-wide object registered under `name`; `mine` if nobody registered one yet. */
export function sharedToken<T>(name: string, mine: T): T {
  const tokens = table();
  if (!tokens.has(name)) tokens.set(name, mine);
  return tokens.get(name) as T;
}

/** Marks a plugin class (and classes of its own that it wants injected) for constructor injection. */
export const injectable: typeof tsyringe.injectable = sharedToken(
  'injectable',
  tsyringe.injectable,
);

/** Names the token of a constructor parameter where its type alone does not say it. */
export const inject: typeof tsyringe.inject = sharedToken('inject', tsyringe.inject);
