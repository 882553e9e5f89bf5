/**
 * One call of a plugin on its way through the core, and what every handler of calls shares. A
 * handler checks the argument (a plugin can send anything), demands the right, and does the work.
 *
 * Invariant: a handler relies on nothing that the plugin's process says but the argument; who calls
 * is known by the process that the call came from.
 */
import { CodedError } from '@peerage/sdk';
import type { Grant } from '../grant.js';
import type { PluginPackage } from '../manifest.js';
import type { PluginCommands } from './commands.js';
import type { PluginLeases } from './leases.js';

/** Who calls. */
export interface Caller {
  readonly plugin: PluginPackage;
  readonly grant: Grant;
  readonly dataDirectory: string;
  readonly commands: PluginCommands;
  /** None where the content shell does not lend, or the process could not read what is lent. */
  readonly leases?: PluginLeases | undefined;
}

export interface Call {
  readonly caller: Caller;
  readonly method: string;
  readonly argument: Readonly<Record<string, unknown>>;
  /** Fires when the call is given up, the subscription ends, or the process is gone. */
  readonly signal: AbortSignal;
  /** Sends an event that belongs to the call, also after its reply. */
  emit(value: unknown): void;
}

export type CallHandler = (call: Call) => Promise<unknown>;
export type CallTable = Readonly<Record<string, CallHandler>>;

/** The plugin's mistake, or its SDK's. */
export function badCall({ caller, method }: Pick<Call, 'caller' | 'method'>): CodedError {
  const { id } = caller.plugin.manifest;
  return new CodedError('E_CALL_UNKNOWN', `plugin ${id} called ${method.slice(0, 64)} wrongly`, {
    expected: 'a method of an injected service with its arguments',
    action: 'check that the SDK and the core have fitting versions',
  });
}

/** A part of the core that this node does not have. */
export function notAvailable(what: string): CodedError {
  return new CodedError('E_NOT_AVAILABLE', `this node has no ${what}`);
}

/** Beyond a rate or a number at once. */
export function busy(what: string): CodedError {
  return new CodedError('E_BUSY', what, { action: 'try again later' });
}

/** @throws CodedError `E_CALL_UNKNOWN` */
export function textOf(call: Call, name: string): string {
  const value = call.argument[name];
  if (typeof value !== 'string') throw badCall(call);
  return value;
}

/** A table of texts, copied. @throws CodedError `E_CALL_UNKNOWN` */
export function textsOf(call: Call, name: string): Record<string, string> {
  const value = call.argument[name] ?? {};
  if (typeof value !== 'object' || value === null) throw badCall(call);
  const pairs = Object.entries(value);
  if (pairs.some(([, text]) => typeof text !== 'string')) throw badCall(call);
  return Object.fromEntries(pairs) as Record<string, string>;
}

/** Ends a subscription of the core's when the plugin's ends. */
export function untilEnd(call: Call, subscription: { dispose(): void }): void {
  if (call.signal.aborted) return subscription.dispose();
  call.signal.addEventListener('abort', () => subscription.dispose(), { once: true });
}

/** The URL that will be fetched: what is judged must not be written in another way. */
export function plainUrl(text: string): string {
  try {
    const url = new URL(text);
    url.hash = '';
    return url.href;
  } catch {
    return text;
  }
}
