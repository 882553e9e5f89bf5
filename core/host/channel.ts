/**
 * The messages between the core and a plugin's process: one union per direction. They travel over
 * Node's IPC channel; bodies do not, they go over a ticket (`tickets`). Used by both ends.
 */
import { CodedError, errorCode } from '@peerage/sdk';
import type { HandedSocket } from './handed-socket.js';
import type { LeaseGrant } from './lease.js';

/** An error on the wire; rebuilt as a CodedError on the other side. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly expected?: string | undefined;
  readonly action?: string | undefined;
}

/** What the process is told when it is to start. */
export interface StartMessage {
  readonly type: 'start';
  readonly id: string;
  readonly main: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly dataDirectory: string;
  readonly coreVersion: string;
  /** Path of the socket where tickets are redeemed. */
  readonly ticketSocket: string;
  /** Ports that it may listen on. */
  readonly listen: readonly (number | 'any')[];
  /** Sockets that listen there already. */
  readonly sockets: readonly HandedSocket[];
}

export type ToPlugin =
  | StartMessage
  | { readonly type: 'stop' }
  | { readonly type: 'ping'; readonly round: number }
  | {
      readonly type: 'reply';
      readonly id: number;
      readonly value?: unknown;
      readonly error?: WireError;
    }
  /** Belongs to the call or subscription of that number. */
  | { readonly type: 'event'; readonly id: number; readonly value: unknown };

export type ToCore =
  | { readonly type: 'ready' }
  | { readonly type: 'activated' }
  | { readonly type: 'failed'; readonly error: WireError }
  | { readonly type: 'pong'; readonly round: number }
  | {
      /** A subscription is a call whose events go on after the reply, until it is cancelled. */
      readonly type: 'call' | 'subscribe';
      readonly id: number;
      readonly method: string;
      readonly argument: unknown;
    }
  | { readonly type: 'cancel'; readonly id: number }
  | {
      readonly type: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly event: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };

const LOG_LEVELS = ['info', 'warn', 'error'];
/** Names that the core itself gives to parts of a log line. */
const LOG_RESERVED = ['time', 'level', 'event', 'plugin'];
/** Most that one line of a plugin's may say, in characters. */
const LOG_LINE_MAX = 8192;

/** A message of a plugin's process, as far as it is one. What a plugin sends may be anything. */
export function readMessage(raw: unknown): ToCore | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  const { type, id, method, argument, level, event, error, fields } = raw as Partial<
    Record<string, unknown>
  >;
  const numbered = typeof id === 'number' && Number.isSafeInteger(id);
  switch (type) {
    case 'ready':
    case 'activated':
      return { type };
    case 'pong':
      return { type, round: 0 };
    case 'failed':
      return { type, error: readWireError(error) };
    case 'call':
    case 'subscribe':
      return numbered && typeof method === 'string' ? { type, id, method, argument } : undefined;
    case 'cancel':
      return numbered ? { type, id } : undefined;
    case 'log':
      if (typeof level !== 'string' || !LOG_LEVELS.includes(level)) return undefined;
      if (typeof event !== 'string' || event.length > 100) return undefined;
      return { type, level: level as 'info' | 'warn' | 'error', event, fields: readFields(fields) };
    default:
      return undefined;
  }
}

/** What can be written as one line of JSON, in bounds, without the names that are the core's. */
function readFields(fields: unknown): Readonly<Record<string, unknown>> {
  try {
    const text = JSON.stringify(fields ?? {});
    if (text.length > LOG_LINE_MAX) return { cut: text.slice(0, LOG_LINE_MAX) };
    const plain: unknown = JSON.parse(text);
    if (typeof plain !== 'object' || plain === null) return { value: plain };
    const kept = Object.entries(plain).filter(([name]) => !LOG_RESERVED.includes(name));
    return Object.fromEntries(kept);
  } catch {
    return { unreadable: true };
  }
}

/** What a plugin sends as an error, as far as it is one. */
export function readWireError(error: unknown): WireError {
  const { code, message, expected, action } = (error ?? {}) as Record<string, unknown>;
  const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, 2000) : undefined);
  return {
    code: text(code)?.slice(0, 100) ?? 'E_INTERNAL',
    message: text(message) ?? 'it failed',
    expected: text(expected),
    action: text(action),
  };
}

export function toWireError(error: unknown): WireError {
  if (!(error instanceof Error)) return { code: 'E_INTERNAL', message: String(error) };
  // By its shape: a plugin with a copy of the SDK has another class of coded errors.
  const { message, expected, action } = error as Partial<CodedError> & Error;
  return { code: errorCode(error), message, expected, action };
}

export function fromWireError({ code, message, expected, action }: WireError): CodedError {
  return new CodedError(code, message, {
    ...(expected === undefined ? {} : { expected }),
    ...(action === undefined ? {} : { action }),
  });
}

/** Where in a plugin's data directory the bytes wait that it publishes. */
export const OUT_DIRECTORY = 'out';

/** The answer to `peering.open`: head, and the body inline, under a ticket or by a lease. */
export interface OpenReply {
  readonly status: number;
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly source: string;
  readonly sizeBytes: number | undefined;
  readonly sha256: string | undefined;
  readonly inline?: Uint8Array;
  readonly ticket?: string;
  /** Instead of a body: the plugin delivers it by itself, now and when it is asked again. */
  readonly lease?: LeaseGrant;
}
