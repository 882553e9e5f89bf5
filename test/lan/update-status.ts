/** What `peerage antivirus status --json` says, as scenarios judge by it. */
import type { Group } from './group.js';
import { until } from './until.js';

export interface UpdateStatus {
  readonly components: ReadonlyArray<{
    readonly component: string;
    readonly version?: string;
    readonly files: ReadonlyArray<{ readonly name: string; readonly source: string }>;
  }>;
  /** The latest first. */
  readonly checks: ReadonlyArray<{
    readonly role: string;
    readonly startedAtMs: number;
    readonly failure?: { readonly code: string };
    readonly components: ReadonlyArray<{ readonly failure?: { readonly code: string } }>;
  }>;
}

/** An election, and a check of every node after it, are over by then, in milliseconds. */
const SETTLED_DEADLINE_MS = 60_000;

/** The status of the node with this number, from 1. */
export async function statusOf(group: Group, number: number): Promise<UpdateStatus> {
  return (await group.node(number).ask('antivirus', 'status')) as UpdateStatus;
}

/** Waits until one node asks for all, and the others know. */
export async function settled(group: Group): Promise<void> {
  await until('one node asks for all', SETTLED_DEADLINE_MS, async () => {
    const numbers = group.nodes.map((_, at) => at + 1);
    const all = await Promise.all(numbers.map((number) => statusOf(group, number)));
    const listening = all.filter(({ checks }) => checks[0]?.role === 'listen');
    return listening.length === all.length - 1 ? true : undefined;
  });
}

/** Whether a node has asked the origin what is new since then. */
export function hasAsked({ checks }: UpdateStatus, sinceMs: number): boolean {
  return checks.some(({ role, startedAtMs }) => role !== 'listen' && startedAtMs >= sinceMs);
}

/**
 * How often one node at a time can have asked since then: nodes ask at this pause, and an office
 * that changes hands costs one more question.
 */
export function questionsOfOne(sinceMs: number, pauseMs: number): number {
  return Math.ceil((Date.now() - sinceMs) / pauseMs) + 1;
}
