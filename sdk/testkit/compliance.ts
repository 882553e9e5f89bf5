/**
 * The rules that every plugin keeps, run on a plugin: it starts with its defaults, without the
 * Internet and without any right, and stops in time, leaving nothing behind.
 */
import { CodedError, describeError } from '@peerage/sdk';
import type { PluginClass } from '@peerage/sdk/construct.js';
import { TestLan } from './lan.js';
import type { StartOptions, TestNode } from './node.js';
import type { TestPlugin } from './plugin.js';

/** The host's budgets, in milliseconds. */
const ACTIVATE_MS = 10_000;
const SHUTDOWN_MS = 5000;
/** How long a schedule is watched, in the clock's time. */
const WATCHED_MS = 60_000;
/** Looks, 10 ms apart, until what it opened is closed. */
const CALM_TRIES = 50;

export interface ComplianceOptions extends StartOptions {
  /** Handles of the process that it may leave open (a test's own server). */
  readonly handlesMax?: number;
}

/** What was tried, and what came of it. */
export interface Compliance {
  readonly rule: string;
  /** Why it is not kept; `undefined` if it is. */
  readonly fault: string | undefined;
}

type Prepare = (lan: TestLan, node: TestNode) => void;

/** @throws CodedError `E_PLUGIN_COMPLIANCE` with every rule that is not kept */
export async function checkCompliance(
  pluginClass: PluginClass,
  options: ComplianceOptions,
): Promise<readonly Compliance[]> {
  const none = { urls: [], uploads: [], publishes: [], programs: [], status: false };
  const tries: ReadonlyArray<readonly [rule: string, grant: object, prepare: Prepare]> = [
    ['starts with its defaults, and stops', {}, () => undefined],
    ['starts where nothing is granted, and asks for nothing', { grant: none }, () => undefined],
    ['starts without the Internet', {}, (_, node) => setOffline(node)],
    ['starts where the origin fails', {}, (lan) => lan.origin.fail()],
    ['starts again after it was stopped', {}, () => undefined],
  ];
  const results: Compliance[] = [];
  for (const [rule, changes, prepare] of tries) {
    const fault = await attempt(pluginClass, { ...options, ...changes }, prepare).then(
      () => undefined,
      (error: unknown) => describeError(error),
    );
    results.push({ rule, fault });
  }
  const faults = results.filter(({ fault }) => fault !== undefined);
  if (faults.length === 0) return results;
  const text = faults.map(({ rule, fault }) => `${rule}: ${fault}`).join('\n');
  throw new CodedError('E_PLUGIN_COMPLIANCE', text, { expected: 'a plugin that keeps all rules' });
}

function setOffline(node: TestNode): void {
  node.internet = false;
}

async function attempt(
  pluginClass: PluginClass,
  options: ComplianceOptions,
  prepare: Prepare,
): Promise<void> {
  const lan = new TestLan();
  const node = lan.node('one');
  prepare(lan, node);
  // What the test's own runner sets up when a test begins to wait does not count.
  await lan.clock.settle();
  const handlesBefore = openHandles();
  const unhandled: unknown[] = [];
  const note = (error: unknown) => void unhandled.push(error);
  process.on('unhandledRejection', note);
  try {
    const plugin = await within(ACTIVATE_MS, 'activate()', node.start(pluginClass, options));
    await lan.clock.advance(WATCHED_MS);
    await within(SHUTDOWN_MS, 'stopping', lan.end());
    await lan.clock.settle();
    await untilCalm(handlesBefore + (options.handlesMax ?? 0));
    judge(lan, plugin, options, handlesBefore, unhandled);
  } finally {
    process.off('unhandledRejection', note);
    await lan.end().catch(() => undefined);
  }
}

function judge(
  lan: TestLan,
  plugin: TestPlugin,
  options: ComplianceOptions,
  handlesBefore: number,
  unhandled: readonly unknown[],
): void {
  const [rejected] = unhandled;
  if (rejected !== undefined) throw fault(`a promise was left alone: ${describeError(rejected)}`);
  if (plugin.held > 0) throw fault(`${plugin.held} subscriptions were not disposed of`);
  if (lan.clock.pending > 0) throw fault(`${lan.clock.pending} jobs were not disposed of`);
  const handles = openHandles() - handlesBefore;
  if (handles > (options.handlesMax ?? 0)) {
    throw fault(`${handles} timers or connections are still open`);
  }
  if (options.grant?.urls?.length === 0 && lan.origin.requests.length > 0) {
    throw fault('it reached the Internet without a grant');
  }
}

/** What a plugin can leave open; standard output and reads of files come and go by themselves. */
const HANDLE = /^(Timeout|TCP|UDP|Process|FSEvent|StatWatcher|MessagePort|Worker)/;

function openHandles(): number {
  return process.getActiveResourcesInfo().filter((kind) => HANDLE.test(kind)).length;
}

/** What is being closed takes a few turns of the event loop. */
async function untilCalm(handlesMax: number): Promise<void> {
  for (let left = CALM_TRIES; left > 0 && openHandles() > handlesMax; left -= 1) {
    await new Promise((done) => setTimeout(done, 10));
  }
}

function fault(text: string): CodedError {
  return new CodedError('E_PLUGIN_COMPLIANCE', text);
}

/** @throws CodedError `E_PLUGIN_COMPLIANCE` if it takes longer */
async function within<T>(budgetMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(fault(`${what} took longer than ${budgetMs} ms`)), budgetMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
