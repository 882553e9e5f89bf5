/**
 * Whose turn it is first with a new version: another order of the nodes for each version, the
 * same on every node that computes it, so that it is not always the same ones that go first.
 */
import { createHash } from 'node:crypto';

/** A node's place in the order for a version, 0 to below 1. */
export function turnOf(node: string, component: string, version: string): number {
  const text = JSON.stringify(['turn', node, component, version]);
  return createHash('sha256').update(text).digest().readUIntBE(0, 6) / 2 ** 48;
}
