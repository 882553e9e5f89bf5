/**
 * Where a program of the lab runs: a host in a namespace, or a loopback address of this machine.
 *
 * Programs get a small environment of their own, not the caller's: no proxy, no registry and no
 * other setting of the machine reaches them unless a scenario says so.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Command, type CommandOptions, type Finished, type RunOptions } from './command.js';
import { noteProcess } from './workspace.js';

export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface Place {
  readonly name: string;
  /** The address at which others reach programs that run here. */
  readonly address: string;
  /** A directory of this place's own: state, logs, home of its programs. */
  readonly directory: string;
  spawn(command: string, args: readonly string[], options?: CommandOptions): Command;
  /** Runs a program to its end. @throws CodedError `E_LAB_TIMEOUT` at the deadline */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<Finished>;
}

/** The options with the lab's small environment, extended by the caller's. */
export function inPlace(directory: string, options: CommandOptions): CommandOptions {
  const env = {
    PATH: `${dirname(process.execPath)}:${SYSTEM_PATH}`,
    HOME: directory,
    TMPDIR: directory,
    LANG: 'C.UTF-8',
    ...options.env,
  };
  return { ...options, cwd: options.cwd ?? directory, env };
}

/** A loopback address of this machine that a node or client can have for its own. */
export class LoopbackPlace implements Place {
  readonly name: string;
  readonly address: string;
  readonly directory: string;

  constructor(name: string, address: string, directory: string) {
    this.name = name;
    this.address = address;
    this.directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  spawn(command: string, args: readonly string[], options: CommandOptions = {}): Command {
    const started = new Command(command, args, inPlace(this.directory, options));
    const { pid } = started.child;
    // In a namespace the sweep sees what still runs; here it has to be told.
    if (pid !== undefined) noteProcess(this.directory, pid);
    return started;
  }

  run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return this.spawn(command, args, options).within(options.deadlineMs);
  }
}
