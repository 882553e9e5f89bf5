/** `ProgramService`: programs of the machine that the core runs for a plugin, without a shell. */
import { sharedToken } from './injection.js';

export interface ProgramOptions {
  /** Given to the program's standard input; at most 1 MiB. */
  readonly stdin?: string | Uint8Array;
  /** How long it may take, 60 s by default, at most an hour. */
  readonly timeoutMs?: number;
}

/** How a program ended, whatever its exit code. */
export interface ProgramResult {
  readonly exitCode: number;
  /** UTF-8, cut at 1 MiB. */
  readonly stdout: string;
  /** UTF-8, cut at 1 MiB. */
  readonly stderr: string;
}

abstract class ProgramServiceBase {
  /**
   * Runs a program that the manifest names and the admin granted. `values` fill the templates of
   * its arguments; the environment is PATH and LANG=C alone.
   * @throws CodedError `E_PROGRAM_NOT_GRANTED`, `E_PROGRAM_VALUE`, `E_PROGRAM_TIMEOUT`,
   *   `E_PROGRAM_MISSING`
   */
  abstract run(
    name: string,
    values: Readonly<Record<string, string>>,
    options?: ProgramOptions,
  ): Promise<ProgramResult>;
}

/** Programs of the machine; inject it by type. */
export const ProgramService = sharedToken('ProgramService', ProgramServiceBase);
export type ProgramService = ProgramServiceBase;
