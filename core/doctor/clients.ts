/**
 * The doctor's look at the clients of this machine: whether apt, npm, git and the environment are
 * pointed at the cache, by asking the clients themselves what they have read.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Finding, ok, warn } from './finding.js';

const run = promisify(execFile);
const PROGRAM_TIMEOUT_MS = 15_000;

interface Question {
  readonly client: string;
  readonly command: string;
  readonly words: readonly string[];
  /** Whether the answer leads to this machine's cache. */
  readonly fits: RegExp;
  /** `undefined`: nothing is lost without. */
  readonly remedy: string | undefined;
}

const LOCAL = String.raw`https?://(127\.0\.0\.\d+|localhost|\[::1\])[:/]`;

const QUESTIONS: readonly Question[] = [
  {
    client: 'apt',
    command: 'apt-config',
    words: ['dump', 'Acquire::http'],
    fits: new RegExp(`Proxy-Auto-Detect "[^"]*peerage|Proxy "${LOCAL}`),
    remedy: '`peerage setup apt --write` (as root)',
  },
  {
    client: 'npm',
    command: 'npm',
    words: ['config', 'get', 'registry'],
    fits: new RegExp(LOCAL),
    remedy: '`peerage setup npm --write`, with a mirror of its registry in plugins.json',
  },
  {
    client: 'git',
    command: 'git',
    words: ['config', '--get', 'http.proxy'],
    fits: new RegExp(LOCAL),
    remedy: undefined,
  },
];

/** @param environment of the person who asks */
export async function checkClients(environment: NodeJS.ProcessEnv): Promise<Finding[]> {
  const found = await Promise.all(QUESTIONS.map((question) => ask(question, environment)));
  const { http_proxy: proxy } = environment;
  const variable =
    proxy !== undefined && new RegExp(LOCAL).test(`${proxy}/`)
      ? ok('proxy-env', `http_proxy=${proxy}`)
      : warn(
          'proxy-env',
          `curl and others: http_proxy is ${proxy ?? 'not set'}`,
          '`peerage setup env --write`, then log in again',
        );
  return [...found.filter((finding) => finding !== undefined), variable];
}

/** `undefined` if the client is not installed. */
async function ask(question: Question, env: NodeJS.ProcessEnv): Promise<Finding | undefined> {
  const { client, command, words, fits, remedy } = question;
  const check = `proxy-${client}`;
  try {
    const { stdout } = await run(command, words, { env, timeout: PROGRAM_TIMEOUT_MS });
    if (fits.test(stdout)) return ok(check, `${client} asks this machine's cache`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    // It is there but has no such setting, which git says by its exit code.
  }
  if (remedy === undefined)
    return ok(check, `${client} goes direct, as it may: https is never cached`);
  return warn(check, `${client} does not ask this machine's cache`, remedy);
}
