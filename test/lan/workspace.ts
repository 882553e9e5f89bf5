/**
 * A run's own name and its own temporary directory.
 *
 * Everything that a run creates on the machine bears a name that says which process made it:
 * `plab-<pid>-<start of that process>-<run>`. So the next run can tell what a killed one left
 * behind (see {@link isAbandoned}) without ever touching what belongs to a living one.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Disposable } from '@peerage/sdk';
import { onExit } from './cleanup.js';

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

function sweepDirectories(): void {
  for (const name of readdirSync(tmpdir()).filter(isAbandoned)) {
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}
