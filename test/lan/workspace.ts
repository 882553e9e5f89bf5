/**
 * A run's own name and its own temporary directory.
 *
 * Everything that a run creates on the machine bears a name that says which process made it:
 * `plab-<pid>-<start of that process>-<run>`. So the next run can tell what a killed one left
 * behind (see {@link isAbandoned}) without ever touching what belongs to a living one.
 */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Disposable } from '@peerage/sdk';
import { onExit } from './cleanup.js';

/** In a place's directory: the processes started there, a line each. */
const PROCESS_LIST = 'processes';
const NAME = /^plab-(\d+)-(\d+)-\d+(?:-|$)/;

let runs = 0;

/** A name that nobody else uses: of this process, and new at each call. */
export function uniqueName(): string {
  runs += 1;
  return `plab-${process.pid}-${processStart(process.pid)}-${runs}`;
}

/** Whether `name` was given by {@link uniqueName} in a process that has ended since. */
export function isAbandoned(name: string): boolean {
  const [, pid, start] = NAME.exec(name) ?? [];
  return pid !== undefined && start !== undefined && processStart(Number(pid)) !== start;
}

/** When the process started, in clock ticks since boot; tells a reused pid from its first owner. */
function processStart(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may itself contain blanks.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
  } catch {
    return '0';
  }
}

/** A temporary directory that goes away with its run. */
export class Workspace implements Disposable {
  readonly name: string;
  readonly directory: string;
  readonly #registration: Disposable;

  constructor(name: string = uniqueName()) {
    sweepDirectories();
    this.name = name;
    this.directory = mkdtempSync(join(tmpdir(), `${name}-`));
    this.#registration = onExit(() => this.#remove());
  }

  dispose(): void {
    this.#registration.dispose();
    this.#remove();
  }

  #remove(): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Notes in a place's directory that a process runs, for a sweep to end it if nobody else does. */
export function noteProcess(placeDirectory: string, pid: number): void {
  appendFileSync(join(placeDirectory, PROCESS_LIST), `${pid} ${processStart(pid)}\n`);
}

function sweepDirectories(): void {
  for (const name of entries(tmpdir()).filter(isAbandoned)) {
    const directory = join(tmpdir(), name);
    for (const place of entries(directory)) endNoted(join(directory, place));
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The names in a directory; none if it is not there (any more). */
export function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Kills what was noted and still is the same process, with its group. */
function endNoted(placeDirectory: string): void {
  for (const line of noted(placeDirectory)) {
    const [pid, start] = line.split(' ');
    if (start === '0' || processStart(Number(pid)) !== start) continue;
    try {
      process.kill(-Number(pid), 'SIGKILL');
    } catch {
      // It has ended by itself in the meantime, which is what was wanted.
    }
  }
}

function noted(placeDirectory: string): string[] {
  try {
    return readFileSync(join(placeDirectory, PROCESS_LIST), 'utf8').trim().split('\n');
  } catch {
    return [];
  }
}
