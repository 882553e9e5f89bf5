/**
 * Assertions for our own mistakes. A broken invariant ends the process with a stack; what peers,
 * plugins and admins do wrong is never asserted but rejected or reported.
 */

/** Throws if `condition` is false; `message` says which invariant broke. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}

/** Marks a branch that the types rule out. */
export function unreachable(value: never): never {
  throw new Error(`invariant broken: unexpected ${JSON.stringify(value)}`);
}
