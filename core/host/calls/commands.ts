/**
 * Commands that a plugin adds to the CLI: its handlers (subscriptions), and the runs that wait for
 * their answers. One instance per plugin; what is not answered in time, or whose process ends, fails.
 */
import { CodedError, type CommandDescription, type CommandResult } from '@peerage/sdk';
import { fromWireError, readWireError } from '../channel.js';
import { badCall, busy, type Call, type CallTable, textOf } from './call.js';

/** A handler may take this long: it may have to download something. */
const ANSWER_MS = 10 * 60_000;
/** Commands of one plugin at once. */
const RUNS_MAX = 16;
/** What one answer may print, in characters. */
const TEXT_LENGTH_MAX = 4 * 1024 * 1024;

interface Run {
  readonly handler: Call;
  resolve(result: CommandResult): void;
  reject(error: unknown): void;
}

export class PluginCommands {
  private readonly described: readonly CommandDescription[];
  private readonly handlers = new Map<string, Call>();
  private readonly runs = new Map<number, Run>();
  private nextRun = 1;

  constructor(described: readonly CommandDescription[]) {
    this.described = described;
  }

  /** From now on the call's plugin handles this command. @throws CodedError `E_COMMAND_UNKNOWN` */
  handle(call: Call, name: string): void {
    if (!this.described.some((command) => command.name === name)) throw unknown(name);
    this.handlers.set(name, call);
    call.signal.addEventListener('abort', () => this.forget(call, name), { once: true });
  }

  /** @throws CodedError `E_COMMAND_UNKNOWN`, `E_BUSY`, `E_COMMAND_TIMEOUT`, or the handler's own */
  async run(name: string, args: readonly string[], json: boolean): Promise<CommandResult> {
    const handler = this.handlers.get(name);
    if (handler === undefined) throw unknown(name);
    if (this.runs.size >= RUNS_MAX) throw busy(`${RUNS_MAX} commands of this plugin are running`);
    const run = this.nextRun;
    this.nextRun += 1;
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<CommandResult>((resolve, reject) => {
      this.runs.set(run, { handler, resolve, reject });
      timer = setTimeout(() => reject(tooSlow(name)), ANSWER_MS);
    });
    try {
      handler.emit({ run, args, json });
      return await answer;
    } finally {
      clearTimeout(timer);
      this.runs.delete(run);
    }
  }

  /** The plugin's answer. */
  answer({ run, result, error }: { run: unknown; result: unknown; error: unknown }): void {
    const waiting = this.runs.get(Number(run));
    if (error !== undefined) waiting?.reject(fromWireError(readWireError(error)));
    else waiting?.resolve(readResult(result));
  }

  private forget(call: Call, name: string): void {
    if (this.handlers.get(name) === call) this.handlers.delete(name);
    for (const { handler, reject } of this.runs.values()) {
      if (handler === call) reject(new CodedError('E_PLUGIN_EXITED', `${name}: its plugin ended`));
    }
  }
}

export function commandCalls(): CallTable {
  return {
    'commands.onCommand': async (call) => call.caller.commands.handle(call, textOf(call, 'name')),
    'commands.answer': async (call) => {
      const { run, result, error } = call.argument;
      if (typeof run !== 'number') throw badCall(call);
      call.caller.commands.answer({ run, result, error });
    },
  };
}

function readResult(result: unknown): CommandResult {
  const { text, json, exitCode } = (result ?? {}) as Partial<Record<string, unknown>>;
  return {
    text: typeof text === 'string' ? text.slice(0, TEXT_LENGTH_MAX) : '',
    ...(json === undefined ? {} : { json }),
    exitCode: Number.isInteger(exitCode) ? Number(exitCode) & 0xff : 0,
  };
}

function unknown(name: string): CodedError {
  return new CodedError('E_COMMAND_UNKNOWN', `there is no command "${name.slice(0, 100)}"`, {
    expected: 'one that the manifest names and the running plugin handles',
  });
}

function tooSlow(name: string): CodedError {
  return new CodedError('E_COMMAND_TIMEOUT', `${name} took longer than ${ANSWER_MS / 60_000} min`);
}
