/**
 * The messages between the core and a plugin's process: one union per direction. They travel over
 * Node's IPC channel; bodies do not, they go over a ticket (`tickets`). Used by both ends.
 */
import { CodedError } from '@peerage/sdk';

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
    };

export type ToCore =
  | { readonly type: 'ready' }
  | { readonly type: 'activated' }
  | { readonly type: 'failed'; readonly error: WireError }
  | { readonly type: 'pong'; readonly round: number }
  | {
      readonly type: 'call';
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

export function toWireError(error: unknown): WireError {
  if (error instanceof CodedError) {
    const { code, message, expected, action } = error;
    return { code, message, expected, action };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'E_INTERNAL', message };
}

export function fromWireError({ code, message, expected, action }: WireError): CodedError {
  return new CodedError(code, message, {
    ...(expected === undefined ? {} : { expected }),
    ...(action === undefined ? {} : { action }),
  });
}

/** The answer to `peering.open`: head, and the body inline or under a ticket. */
export interface OpenReply {
  readonly status: number;
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly source: string;
  readonly sizeBytes: number | undefined;
  readonly sha256: string | undefined;
  readonly inline?: Uint8Array;
  readonly ticket?: string;
}
