/**
 * Network namespaces of one run: made, commanded through `ip`, and deleted with all that lives in
 * them.
 *
 * All calls are synchronous: they take milliseconds, and the same code must run at process exit.
 * Interfaces are created inside the namespaces, never in the machine's own, so nothing of the
 * machine's network is touched. Every name starts with the run's name (workspace.ts), and
 * {@link sweepNamespaces} removes those whose process has ended without cleaning up.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, type Disposable } from '@peerage/sdk';
import { onExit } from './cleanup.js';
import { entries, isAbandoned, uniqueName } from './workspace.js';

const NAMESPACES = '/run/netns';
/** `ip netns exec` lays the files found here over /etc, for that namespace alone. */
const NAMESPACE_FILES = '/etc/netns';
/** Rounds of killing: a process can start another one between listing and killing. */
const KILL_ROUNDS = 50;

/** What the lab says instead of running, where it cannot. */
export const SKIPPED = 'skipped: needs root and network namespaces (ip netns, tc)';

let available: boolean | undefined;

/** Why there can be no LAN here, or `undefined` if there can; found out by making a small one. */
export function missingForLan(): string | undefined {
  available ??= process.getuid?.() === 0 && probe();
  return available ? undefined : SKIPPED;
}

function probe(): boolean {
  const namespaces = new Namespaces(uniqueName());
  try {
    namespaces.add('probe');
    namespaces.configure('probe', ['link add bridge type bridge', 'link set lo up']);
    namespaces.control('probe', 'qdisc add dev lo root tbf rate 1mbit burst 32kb limit 256kb');
    return true;
  } catch {
    return false;
  } finally {
    namespaces.dispose();
  }
}

export class Namespaces implements Disposable {
  readonly name: string;
  readonly #roles = new Set<string>();
  readonly #registration: Disposable;

  constructor(name: string) {
    sweepNamespaces();
    this.name = name;
    this.#registration = onExit(() => this.#removeAll());
  }

  /** The namespace's name as `ip netns` knows it. */
  of(role: string): string {
    return `${this.name}-${role}`;
  }

  /** Makes a namespace without IPv6 in which `files` (name to content) stand over /etc. */
  add(role: string, files: Readonly<Record<string, string>> = {}): void {
    const namespace = this.of(role);
    this.#roles.add(role);
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(NAMESPACE_FILES, namespace), { recursive: true });
      writeFileSync(join(NAMESPACE_FILES, namespace, name), content);
    }
    execute('ip', ['netns', 'add', namespace]);
    this.set(role, 'net.ipv6.conf.all.disable_ipv6', 1);
    this.set(role, 'net.ipv6.conf.default.disable_ipv6', 1);
  }

  /** Runs lines of `ip` commands inside the namespace. */
  configure(role: string, lines: readonly string[]): void {
    execute('ip', ['-n', this.of(role), '-batch', '-'], `${lines.join('\n')}\n`);
  }

  /** Runs one line of `tc` inside the namespace. */
  control(role: string, line: string): void {
    execute('tc', ['-n', this.of(role), ...line.split(' ')]);
  }

  /** Sets a kernel setting of the namespace. */
  set(role: string, setting: string, value: number | string): void {
    const path = `/proc/sys/${setting.replaceAll('.', '/')}`;
    const write = `[ ! -e ${path} ] || echo '${value}' > ${path}`;
    execute('ip', ['netns', 'exec', this.of(role), 'sh', '-c', write]);
  }

  /** Kills whatever runs inside the namespace; returns how many processes that were. */
  kill(role: string): number {
    return killInside(this.of(role));
  }

  dispose(): void {
    this.#registration.dispose();
    this.#removeAll();
  }

  #removeAll(): void {
    for (const role of this.#roles) removeNamespace(this.of(role));
    this.#roles.clear();
  }
}

/** Removes the namespaces of runs whose process has ended without doing so. */
export function sweepNamespaces(): void {
  const names = new Set([...entries(NAMESPACES), ...entries(NAMESPACE_FILES)]);
  for (const name of [...names].filter(isAbandoned)) {
    try {
      removeNamespace(name);
    } catch {
      // Another run sweeps at the same time, and was first.
    }
  }
}

/** The namespaces of this machine whose names start with `prefix`. */
export function namespacesNamed(prefix: string): string[] {
  return entries(NAMESPACES).filter((name) => name.startsWith(prefix));
}

function removeNamespace(namespace: string): void {
  if (entries(NAMESPACES).includes(namespace)) {
    killInside(namespace);
    execute('ip', ['netns', 'delete', namespace]);
  }
  rmSync(join(NAMESPACE_FILES, namespace), { recursive: true, force: true });
}

function killInside(namespace: string): number {
  const killed = new Set<number>();
  for (let round = 0; round < KILL_ROUNDS; round += 1) {
    const pids = execute('ip', ['netns', 'pids', namespace])
      .split('\n')
      .filter(Boolean)
      .map(Number);
    if (pids.length === 0) break;
    for (const pid of pids) {
      killed.add(pid);
      kill(pid);
    }
  }
  return killed.size;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself in the meantime, which is what was wanted.
  }
}

function execute(command: string, args: readonly string[], input = ''): string {
  try {
    return execFileSync(command, args, { input, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new CodedError('E_LAB_COMMAND', said.trim(), { expected: 'exit code 0', cause: error });
  }
}
