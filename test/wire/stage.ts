/**
 * The stage of the tests around the door: a real CA with nodes of real keys, one sample of every
 * message with everything in it, and an opener that hears them. Time stands still unless a test
 * moves it.
 */
import type { KeyObject } from 'node:crypto';
import type { Message } from '@peerage/core/protocol/message.js';
import {
  type Authority,
  createAuthority,
  type Identity,
  issueIdentity,
} from '@peerage/core/trust/authority.js';
import { MemberKeyring } from '@peerage/core/trust/keyring.js';
import { sealFrame } from '@peerage/core/wire/frame.js';
import { type Keyring, Opener, type Origin } from '@peerage/core/wire/open.js';
import type { RejectionReason, Verdict } from '@peerage/core/wire/rejection.js';
import { Sealer } from '@peerage/core/wire/seal.js';

/** The wall clock of all tests here: 2026-11-22 19:39:30 UTC. */
export const WALL_MS = 1_795_376_370_000;
export const GROUP = 'office';
export const SENDER_ADDRESS = '192.0.2.10';
export const ON_LINK: Origin = { address: SENDER_ADDRESS, onLink: true };
/** A kid and a nonce that belong to nobody. */
export const NOBODY = 'AAAAAAAAAAAAAAAAAAAAAA';
export const BOOT = 'BBBBBBBBBBBBBBBBBBBBBA';

const HASH = '0123456789abcdef'.repeat(4);

const CRITERIA = [
  { name: 'weight', value: -100 },
  { name: 'internet', value: 1 },
];

/** One of every message type, with every optional part in it, and the leanest of each. */
export const MESSAGES: Readonly<Record<string, Message>> = {
  request: {
    type: 'request',
    service: 'url-cache',
    id: 2147483647,
    href: 'https://origin.example/a?b=1&c=%22x%22#d',
    variant: '0123456789abcdef',
    cachedOnly: true,
    stale: true,
    ageMaxMs: 86_400_000,
    internet: false,
    delay: { distribution: 'exponential', windowMs: 12.625, peers: 256 },
    nonce: NOBODY,
    to: NOBODY,
  },
  'lean request': {
    type: 'request',
    service: 'url-cache',
    id: 0,
    href: 'http://o/',
    variant: '*',
    cachedOnly: false,
    stale: false,
    internet: true,
    delay: { distribution: 'uniform', windowMs: 2000, peers: 0 },
    nonce: NOBODY,
  },
  response: {
    type: 'response',
    service: 'url-cache',
    id: 7,
    copy: {
      alias: `/o/${HASH}`,
      sizeBytes: 1_073_741_824,
      sha256: HASH,
      attestation: `/a/${HASH}`,
      fetchedAt: WALL_MS - 1000,
      expiresAt: WALL_MS + 1000,
    },
    waitedMs: 3,
    nonce: NOBODY,
    to: NOBODY,
  },
  'response that has none': {
    type: 'response',
    service: 'url-cache',
    id: 7,
    waitedMs: 0,
    nonce: NOBODY,
    to: NOBODY,
  },
  'end-request': { type: 'end-request', service: 'url-cache', id: 7, source: NOBODY },
  'lean end-request': { type: 'end-request', service: 'url-cache', id: 7 },
  progress: {
    type: 'progress',
    service: 'url-cache',
    id: 7,
    href: 'https://origin.example/a',
    receivedBytes: 5,
    totalBytes: 10,
    bytesPerSecond: 1_000_000,
    variant: '*',
    flight: `/f/${'c'.repeat(64)}`,
    claim: true,
    aborted: true,
    to: NOBODY,
  },
  'lean progress': {
    type: 'progress',
    service: 'url-cache',
    id: 7,
    href: 'https://origin.example/a',
    receivedBytes: 0,
    bytesPerSecond: 0,
    variant: '*',
    flight: `/f/${'c'.repeat(64)}`,
    aborted: false,
  },
  hello: {
    type: 'hello',
    client: true,
    server: false,
    internet: true,
    starting: true,
    peers: 10_000,
    to: NOBODY,
  },
  bye: { type: 'bye' },
  election: { type: 'election', service: 'feed', epoch: 3, criteria: CRITERIA, open: true },
  result: {
    type: 'result',
    service: 'feed',
    provider: 'sender',
    backup: 'receiver',
    epoch: 4,
    leaseMs: 1750,
    criteria: CRITERIA,
    settled: true,
    replaces: 3,
  },
  'lean result': {
    type: 'result',
    service: 'feed',
    provider: 'sender',
    epoch: 4,
    leaseMs: 0,
    criteria: CRITERIA,
    settled: false,
  },
  standby: { type: 'standby', service: 'feed', epoch: 4, criteria: CRITERIA, to: NOBODY },
  alive: { type: 'alive', service: 'feed', epoch: 4, ask: true, intervalMs: 100, to: NOBODY },
  custom: {
    type: 'custom',
    service: 'firewall-rules',
    name: 'a-b',
    values: { rule: `a<b & "c" > 'd' é \u{1f600}`, constructor: 'x', empty: '' },
    to: NOBODY,
  },
};

export interface Stage {
  readonly authority: Authority;
  readonly sender: Identity;
  readonly receiver: Identity;
  readonly keyring: MemberKeyring;
  readonly opener: Opener;
}

/** A group of a sender and a receiver who know each other; `known` false: not yet. */
export function makeStage(known = true): Stage {
  const authority = createAuthority(GROUP, WALL_MS);
  const sender = issueIdentity(authority, 'sender', 30, WALL_MS);
  const receiver = issueIdentity(authority, 'receiver', 30, WALL_MS);
  const keyring = new MemberKeyring({ anchors: [authority.certificate] }, () => WALL_MS);
  if (known) keyring.learn(sender.kid, certificateText(sender));
  return { authority, sender, receiver, keyring, opener: openerFor(receiver, keyring) };
}

export function openerFor(receiver: Identity, keyring: Keyring, group = GROUP): Opener {
  return new Opener({ group, ownKid: receiver.kid, keyring });
}

export function certificateText({ certificate }: Identity): string {
  return certificate.raw.toString('base64url');
}

export function sealerFor(identity: Identity, group = GROUP, boot = BOOT): Sealer {
  const { kid, key } = identity;
  return new Sealer({ group, kid, boot, port: 6515, key, certificate: certificateText(identity) });
}

/** The bytes of a message from `identity`, as its own node would send them. */
export function sealed(identity: Identity, message: Message, introduce = false): Buffer {
  const bytes = sealerFor(identity).seal(message, SENDER_ADDRESS, WALL_MS, introduce);
  if (bytes === undefined) throw new Error('the message does not fit a datagram');
  return bytes;
}

export type Attributes = Record<string, string | undefined>;

/** The attributes of a `bye` from `identity`, changed as told; `undefined` leaves one out. */
export function byeAttributes(identity: Identity, changes: Attributes = {}): Attributes {
  return {
    type: 'bye',
    version: '1.0',
    group: GROUP,
    kid: identity.kid,
    boot: BOOT,
    seq: '1',
    ts: String(WALL_MS),
    addr: SENDER_ADDRESS,
    port: '6515',
    ...changes,
  };
}

/** Properly signed bytes of any attributes, also of those that no node would send. */
export function signed(key: KeyObject, attributes: Attributes): Buffer {
  const pairs = Object.entries(attributes).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  );
  return sealFrame('peerage/packet/v1', pairs, key);
}

/** `ok`, or the reason of the rejection. */
export function outcome(verdict: Verdict<unknown>): RejectionReason | 'ok' {
  return verdict.ok ? 'ok' : verdict.reason;
}
