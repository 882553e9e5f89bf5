/**
 * Runs one program for a plugin: no shell, arguments from templates, an empty environment but PATH
 * and LANG, a time limit, capped output; ended with everything that it started.
 */
import { spawn } from 'node:child_process';
import { CodedError, errorCode, type ProgramResult, type ProgramWish } from '@peerage/sdk';
import { pathBelow } from './paths.js';

/** What a program may say on each of its outputs, in bytes; the rest is read and dropped. */
const OUTPUT_BYTES_MAX = 1024 * 1024;
const VALUE_LENGTH_MAX = 4096;
const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C',
};
const PLACE = /\{(file:)?([A-Za-z][A-Za-z0-9-]{0,40})\}/g;

export interface ProgramRun {
  readonly program: ProgramWish;
  readonly values: Readonly<Record<string, string>>;
  /** Where `{file:…}` may lead; the first is its working directory. */
  readonly directories: readonly string[];
  readonly stdin: string | Uint8Array | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The arguments, templates filled in. @throws CodedError `E_PROGRAM_VALUE`, `E_PATH_DENIED` */
export async function fillArguments({
  program,
  values,
  directories,
}: Pick<ProgramRun, 'program' | 'values' | 'directories'>): Promise<string[]> {
  const used = new Set<string>();
  const filled: string[] = [];
  for (const template of program.arguments) {
    let text = '';
    let at = 0;
    for (const place of template.matchAll(PLACE)) {
      const [whole, isFile, name = ''] = place;
      used.add(name);
      const value = judged(program.name, name, values);
      text += template.slice(at, place.index);
      text += isFile === undefined ? value : await pathBelow(value, directories);
      at = place.index + whole.length;
    }
    filled.push(text + template.slice(at));
  }
  const strange = Object.keys(values).find((name) => !used.has(name));
  if (strange !== undefined) throw badValue(program.name, strange, 'has no place in its arguments');
  return filled;
}

function judged(program: string, name: string, values: Readonly<Record<string, string>>): string {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined || value === '') throw badValue(program, name, 'is missing');
  if (value.startsWith('-')) throw badValue(program, name, 'begins with a dash');
  if (value.length > VALUE_LENGTH_MAX || value.includes('\0')) {
    throw badValue(program, name, 'is too long or no text');
  }
  return value;
}

function badValue(program: string, name: string, what: string): CodedError {
  return new CodedError('E_PROGRAM_VALUE', `${program}: the value "${name.slice(0, 50)}" ${what}`);
}

/** @throws CodedError `E_PROGRAM_MISSING`, `E_PROGRAM_TIMEOUT`, `E_PROGRAM_VALUE`, `E_CANCELLED` */
export async function runProgram(run: ProgramRun): Promise<ProgramResult> {
  const { program, directories, signal, stdin, timeoutMs } = run;
  const filled = await fillArguments(run);
  const child = spawn(program.command, filled, {
    cwd: directories[0],
    env: ENVIRONMENT,
    // A group of its own: what it starts is ended with it.
    detached: process.platform !== 'win32',
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  });
  let fault: CodedError | undefined;
  const end = (why: CodedError) => {
    fault ??= why;
    endGroup(child.pid, () => child.kill('SIGKILL'));
  };
  const timer = setTimeout(() => end(timedOut(program.name, timeoutMs)), timeoutMs);
  const gone = () => end(new CodedError('E_CANCELLED', `${program.name} was given up`));
  signal.addEventListener('abort', gone, { once: true });
  const stdout = capped(child.stdout);
  const stderr = capped(child.stderr);
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin ?? '');
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', (cause) => reject(missing(program, cause)));
      child.once('close', (code, killed) => resolve(code ?? (killed === null ? 1 : 128)));
    });
    if (fault !== undefined) throw fault;
    return { exitCode, stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', gone);
  }
}

/** Ends a process group; the process alone where there are no groups. */
function endGroup(pid: number | undefined, alone: () => void): void {
  if (pid === undefined || process.platform === 'win32') return alone();
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    alone();
  }
}

function capped(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let left = OUTPUT_BYTES_MAX;
  stream.on('data', (chunk: Buffer) => {
    if (left > 0) chunks.push(chunk.subarray(0, left));
    left -= chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function timedOut(name: string, timeoutMs: number): CodedError {
  return new CodedError('E_PROGRAM_TIMEOUT', `${name} took longer than ${timeoutMs} ms`);
}

function missing({ name, command }: ProgramWish, cause: Error): CodedError {
  const what = errorCode(cause) === 'ENOENT' ? 'is not there' : 'cannot be run';
  return new CodedError('E_PROGRAM_MISSING', `${name}: ${command} ${what}`, {
    action: 'install it, or name its absolute path in the manifest',
    cause,
  });
}
