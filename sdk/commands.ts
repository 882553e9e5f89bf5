/** `CommandService`: commands of the plugin in the CLI, `peerage <plugin id> <name> …`. */
import { sharedToken } from './injection.js';
import type { Disposable } from './lifecycle.js';

export interface CommandOptions {
  /** Whether the caller wants JSON; a handler may save itself the text then. */
  readonly json: boolean;
}

/** What a command prints and how it exits. */
export interface CommandResult {
  /** For people; no final line break. */
  readonly text: string;
  /** For `--json`; `{ "text": … }` if absent. */
  readonly json?: unknown;
  /** 0 by default. */
  readonly exitCode?: number;
}

/** Carries a command out; throwing prints the error and exits with 1. */
export type CommandHandler = (
  args: readonly string[],
  options: CommandOptions,
) => Promise<CommandResult>;

abstract class CommandServiceBase {
  /**
   * Handles a command of the manifest. Its answer may take up to ten minutes.
   * @throws CodedError `E_COMMAND_UNKNOWN` if the manifest does not name it
   */
  abstract onCommand(name: string, handler: CommandHandler): Promise<Disposable>;
}

/** Commands in the CLI; inject it by type. */
export const CommandService = sharedToken('CommandService', CommandServiceBase);
export type CommandService = CommandServiceBase;
