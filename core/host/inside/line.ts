/**
 * The plugin's end of the channel to the core: numbered calls and their replies, subscriptions and
 * their events. A call can be cancelled; a subscription lasts until it is disposed of.
 */
import { CodedError, type Disposable, type ResourceRequest } from '@peerage/sdk';
import { fromWireError, type ToCore, type ToPlugin } from '../channel.js';

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

type Listener = (value: unknown) => void;

/** Sends a message if there still is a core; without one there is nobody to tell. */
export function send(message: ToCore): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

export class Line {
  private readonly pending = new Map<number, Pending>();
  private readonly listeners = new Map<number, Listener>();
  private nextId = 1;

  /** Calls the core; cancelled there when the signal fires. */
  call(method: string, argument: unknown, signal?: ResourceRequest['signal']): Promise<unknown> {
    if (signal?.aborted === true) {
      return Promise.reject(new CodedError('E_CANCELLED', `${method} was cancelled`));
    }
    const id = this.take();
    signal?.addEventListener('abort', () => send({ type: 'cancel', id }), { once: true });
    return this.ask({ type: 'call', id, method, argument });
  }

  /** A call whose events go to `listener` until the function returned is called. */
  async watch(
    method: string,
    argument: unknown,
    listener: Listener,
    signal?: ResourceRequest['signal'],
  ): Promise<{ value: unknown; end: () => void }> {
    const id = this.take();
    this.listeners.set(id, listener);
    signal?.addEventListener('abort', () => send({ type: 'cancel', id }), { once: true });
    const end = () => void this.listeners.delete(id);
    try {
      return { value: await this.ask({ type: 'call', id, method, argument }), end };
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Subscribes to events of the core; resolves when they flow. */
  async subscribe(method: string, argument: unknown, listener: Listener): Promise<Disposable> {
    const id = this.take();
    this.listeners.set(id, listener);
    const dispose = () => {
      if (this.listeners.delete(id)) send({ type: 'cancel', id });
    };
    try {
      await this.ask({ type: 'subscribe', id, method, argument });
      return { dispose };
    } catch (error) {
      this.listeners.delete(id);
      throw error;
    }
  }

  /** Takes a reply or an event. */
  receive(message: ToPlugin): void {
    if (message.type === 'event') this.listeners.get(message.id)?.(message.value);
    if (message.type !== 'reply') return;
    const waiting = this.pending.get(message.id);
    this.pending.delete(message.id);
    if (message.error === undefined) waiting?.resolve(message.value);
    else waiting?.reject(fromWireError(message.error));
  }

  private take(): number {
    const id = this.nextId;
    this.nextId += 1;
    return id;
  }

  private ask(message: Extract<ToCore, { id: number; method: string }>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.pending.set(message.id, { resolve, reject });
      send(message);
    });
  }
}
