/**
 * A stage for one heart: calls it, collects its effects, lets time pass to its wake-ups. Tests of
 * the protocol's sentences are written against it.
 */
import { createHash } from 'node:crypto';
import { SeededRandom } from '@peerage/core/base/random.js';
import type { PeerOptions } from '@peerage/core/protocol/context.js';
import type { Effect } from '@peerage/core/protocol/effect.js';
import type { Copy, Message, Request, Response, Sender } from '@peerage/core/protocol/message.js';
import { Peer } from '@peerage/core/protocol/peer.js';

export const COPY: Copy = {
  alias: `/o/${'a'.repeat(64)}`,
  sizeBytes: 5,
  sha256: 'a'.repeat(64),
  attestation: `/a/${'b'.repeat(64)}`,
  fetchedAt: 1,
  expiresAt: 2,
};

export function sender(kid: string): Sender {
  return {
    kid,
    name: `name-of-${kid}`,
    boot: `boot-of-${kid}`,
    address: `10.0.0.${kid.length}`,
    port: 6515,
  };
}

export const WANT = {
  service: 'test',
  href: 'http://origin.test/file',
  variant: '*',
  stale: false,
  waitMaxMs: Number.POSITIVE_INFINITY,
};

export function request(more: Partial<Request> = {}): Request {
  return {
    type: 'request',
    service: 'test',
    id: 1,
    href: WANT.href,
    variant: '*',
    cachedOnly: true,
    stale: false,
    internet: true,
    delay: { distribution: 'exponential', windowMs: 10, peers: 3 },
    nonce: `${'N'.repeat(21)}A`,
    ...more,
  };
}

/** With what `changes` has in its place; a getter stays one. */
export function changed<Base extends object>(base: Base, changes: Partial<Base>): Base {
  return Object.defineProperties({ ...base }, Object.getOwnPropertyDescriptors(changes));
}

export class Stage {
  readonly peer: Peer;
  now = 1000;

  constructor(options: Partial<PeerOptions> = {}) {
    const usual: PeerOptions = {
      kid: 'me',
      boot: 'my-boot',
      profile: 'adaptive',
      client: true,
      server: true,
      internet: true,
      broadcastResponses: false,
      roundTripInitialMs: 2.2,
      peering: true,
      copies: { find: () => undefined, downloading: () => undefined },
      random: new SeededRandom(1),
      sha256: (text) => createHash('sha256').update(text).digest(),
    };
    this.peer = new Peer(changed(usual, options));
  }

  /** Starts it and lets the opening count pass, with these peers heard. */
  started(...kids: string[]): this {
    this.peer.start(this.now);
    for (const kid of kids) this.hear(kid, hello());
    this.pass(60);
    return this;
  }

  hear(kid: string, message: Message): Effect[] {
    return this.peer.receive(this.now, { from: sender(kid), message });
  }

  want(more: Partial<typeof WANT> = {}) {
    return this.peer.want(this.now, { ...WANT, ...more });
  }

  /** Lets time pass, waking the heart whenever it wants; returns what it did, with the times. */
  pass(durationMs: number): Array<{ readonly at: number; readonly effect: Effect }> {
    const done: Array<{ at: number; effect: Effect }> = [];
    const end = this.now + durationMs;
    for (;;) {
      const at = this.peer.wakeAt;
      if (at === undefined || at > end) break;
      this.now = Math.max(this.now, at);
      for (const effect of this.peer.wake(this.now)) done.push({ at: this.now, effect });
    }
    this.now = end;
    return done;
  }

  /** The answer of a peer to the request that the heart has just sent. */
  answer(sent: Request, copy: Copy | undefined = COPY): Response {
    const base = { type: 'response', service: 'test', id: sent.id, waitedMs: 0 } as const;
    return { ...base, nonce: sent.nonce, to: 'me', ...(copy === undefined ? {} : { copy }) };
  }

  none(sent: Request): Response {
    return {
      type: 'response',
      service: 'test',
      id: sent.id,
      waitedMs: 0,
      nonce: sent.nonce,
      to: 'me',
    };
  }
}

export function hello(more: { starting?: boolean; peers?: number } = {}): Message {
  const { starting = false, peers = 0 } = more;
  return { type: 'hello', client: true, server: true, internet: true, starting, peers };
}

/** The messages among effects, of one type. */
export function messages<T extends Message['type']>(
  effects: readonly Effect[],
  type: T,
): Array<Extract<Message, { type: T }>> {
  return effects
    .flatMap((effect) =>
      effect.kind === 'broadcast' || effect.kind === 'send' ? [effect.message] : [],
    )
    .filter((message): message is Extract<Message, { type: T }> => message.type === type);
}
