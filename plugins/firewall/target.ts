/**
 * What a set of blocks can be put in force by: nftables, a file that another program reads.
 *
 * Contract: `check` changes nothing; `put` either returns with `to` in force or throws, and then
 * what is in force may be in between until the next `put` (the enforcer goes back at once). A
 * target that is told no `from` makes no assumption about what it holds.
 */
import type { Blocks } from './compile.js';

export interface Target {
  readonly name: string;
  /** Refuses what could not be put in force. @throws CodedError */
  check(to: Blocks, from: Blocks | undefined): Promise<void>;
  put(to: Blocks, from: Blocks | undefined): Promise<void>;
  /** The version that is really in force; `undefined` if none, or half of one. */
  holds(): Promise<string | undefined>;
}

/** Told of each step once it is done; a test can end the process there. */
export type StepListener = (step: string) => void;
