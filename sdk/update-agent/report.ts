/** What a check did, for the status and the log: per component, with the source of each file. */
import { CodedError, describeError, errorCode } from '@peerage/sdk';
import type { Decision } from './decide.js';
import type { Role } from './feed.js';
import type { Retrieved } from './retrieve.js';

export interface Failure {
  readonly code: string;
  readonly message: string;
}

export interface ComponentReport {
  readonly component: string;
  /** What was decided: `update`, `back`, or why it stays. */
  readonly decision: string;
  /** In force after the check. */
  readonly version: string | undefined;
  /** In force before it. */
  readonly before: string | undefined;
  readonly offered: string | undefined;
  readonly files: readonly Retrieved[];
  readonly failure?: Failure;
}

export type Outcome = 'updated' | 'unchanged' | 'waiting' | 'failed';

export interface CheckReport {
  readonly feed: string;
  readonly reason: string;
  /** Whether this node asked the Internet itself or went by what the provider tells. */
  readonly role: Role;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly outcome: Outcome;
  readonly components: readonly ComponentReport[];
  /** Why the check as a whole could not be made. */
  readonly failure?: Failure;
}

/** Errors that say that the origin could not be reached from here. */
const CUT_OFF = /^E_(NO_INTERNET|ORIGIN_UNREACHABLE|NO_SOURCE)$/;

/** Whether the origin could not be reached from here, where another node may do better. */
export function isCutOff(failure: Failure | undefined): boolean {
  return failure !== undefined && CUT_OFF.test(failure.code);
}

export function failureOf(error: unknown): Failure {
  const code = errorCode(error);
  const root = error instanceof CodedError || !(error instanceof Error) ? error : error.message;
  return { code, message: describeError(root).slice(0, 500) };
}

export function decisionWord(decision: Decision): string {
  return decision.kind === 'update' ? 'update' : decision.reason;
}

/** The outcome of a check from those of its components. */
export function outcomeOf(components: readonly ComponentReport[]): Outcome {
  if (components.some(({ failure }) => failure !== undefined)) return 'failed';
  if (components.some(({ version, before }) => version !== before)) return 'updated';
  return 'unchanged';
}
