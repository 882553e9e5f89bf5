/**
 * Messages to attributes and back, field by field. PROTOCOL §2.2. Decoding expects attributes that
 * passed the schema; it still refuses what the schema cannot say (a response that is neither).
 */
import { ID_MAX } from '../protocol/limits.js';
import type { Copy, DelayRule, Hello, Message } from '../protocol/message.js';
import { decodeElection, encodeElection } from './election-codec.js';
import { isReserved } from './schema.js';

type Pairs = Array<readonly [string, string]>;

const flag = (value: boolean) => (value ? '1' : '0');

/** The attributes of a message, without those of the header and without `to`. */
export function encodeMessage(message: Message): Pairs {
  switch (message.type) {
    case 'request': {
      const { delay } = message;
      const pairs: Pairs = [
        ['service', message.service],
        ['ID', String(message.id)],
        ['method', 'get'],
        ['href', message.href],
        ['acceptprotocol', 'http'],
        ['variant', message.variant],
        ['cached-only', flag(message.cachedOnly)],
        ['internet', flag(message.internet)],
        ['dist', delay.distribution],
        ['T', String(delay.windowMs)],
        ['n', String(delay.peers)],
        ['nonce', message.nonce],
      ];
      if (message.stale) pairs.push(['stale', '1']);
      if (message.ageMaxMs !== undefined) pairs.push(['max-age', String(message.ageMaxMs)]);
      return pairs;
    }
    case 'response':
      return [
        ['service', message.service],
        ['ID', String(message.id)],
        ['nonce', message.nonce],
        ['waited', String(message.waitedMs)],
        ...encodeCopy(message.copy),
      ];
    case 'end-request': {
      const pairs: Pairs = [
        ['service', message.service],
        ['ID', String(message.id)],
      ];
      if (message.source !== undefined) pairs.push(['source', message.source]);
      return pairs;
    }
    case 'progress': {
      const pairs: Pairs = [
        ['service', message.service],
        ['ID', String(message.id)],
        ['href', message.href],
        ['variant', message.variant],
        ['flight', message.flight],
        ['received', String(message.receivedBytes)],
        ['rate', String(Math.round(message.bytesPerSecond))],
      ];
      if (message.totalBytes !== undefined) pairs.push(['total', String(message.totalBytes)]);
      if (message.claim === true) pairs.push(['claim', '1']);
      if (message.aborted) pairs.push(['aborted', '1']);
      return pairs;
    }
    case 'hello':
      return encodeHello(message);
    case 'bye':
      return [];
    case 'custom':
      return [['service', message.service], ...Object.entries(message.values)];
    default:
      return encodeElection(message);
  }
}

function encodeHello(message: Hello): Pairs {
  const pairs: Pairs = [
    ['client', flag(message.client)],
    ['server', flag(message.server)],
    ['internet', flag(message.internet)],
    ['starting', flag(message.starting)],
    ['n', String(message.peers)],
  ];
  if (message.policy !== undefined) pairs.push(['policy', String(message.policy)]);
  return pairs;
}

function encodeCopy(copy: Copy | undefined): Pairs {
  if (copy === undefined) return [['none', '1']];
  return [
    ['alias', copy.alias],
    ['size', String(copy.sizeBytes)],
    ['sha256', copy.sha256],
    ['attestation', copy.attestation],
    ['fetched-at', String(copy.fetchedAt)],
    ['expires', String(copy.expiresAt)],
  ];
}

/** The packet type on the wire. */
export function wireType(message: Message): string {
  return message.type === 'custom' ? `x-${message.service}-${message.name}` : message.type;
}

class Reader {
  private readonly attributes: ReadonlyMap<string, string>;

  constructor(attributes: ReadonlyMap<string, string>) {
    this.attributes = attributes;
  }

  text(name: string): string {
    return this.attributes.get(name) ?? '';
  }

  integer(name: string): number {
    return Number(this.attributes.get(name));
  }

  flag(name: string): boolean {
    return this.attributes.get(name) === '1';
  }

  optional<K extends string, V>(key: K, name: string, read: (text: string) => V): { [P in K]?: V } {
    const text = this.attributes.get(name);
    return (text === undefined ? {} : { [key]: read(text) }) as { [P in K]?: V };
  }
}

/** The message of attributes that fit the schema; `undefined` if they contradict themselves. */
export function decodeMessage(attributes: ReadonlyMap<string, string>): Message | undefined {
  const read = new Reader(attributes);
  const type = read.text('type');
  const to = read.optional('to', 'to', String);
  const tied = { service: read.text('service'), id: read.integer('ID') };
  if (attributes.has('ID') && tied.id > ID_MAX) return undefined;
  switch (type) {
    case 'request':
      return decodeRequest(read, tied, to);
    case 'response':
      return decodeResponse(read, tied);
    case 'end-request':
      return { type, ...tied, ...read.optional('source', 'source', String) };
    case 'progress':
      return {
        type,
        ...tied,
        href: read.text('href'),
        variant: read.text('variant'),
        flight: read.text('flight'),
        receivedBytes: read.integer('received'),
        bytesPerSecond: read.integer('rate'),
        aborted: read.flag('aborted'),
        ...(read.flag('claim') ? { claim: true } : {}),
        ...read.optional('totalBytes', 'total', Number),
        ...to,
      };
    case 'hello':
      return {
        type,
        client: read.flag('client'),
        server: read.flag('server'),
        internet: read.flag('internet'),
        starting: read.flag('starting'),
        peers: read.integer('n'),
        ...read.optional('policy', 'policy', Number),
        ...to,
      };
    case 'bye':
      return { type };
    case 'election':
    case 'result':
    case 'standby':
    case 'alive':
      return decodeElection(type, attributes);
    default:
      return decodeCustom(attributes, type, to);
  }
}

interface TiedFields {
  readonly service: string;
  readonly id: number;
}

function decodeRequest(read: Reader, tied: TiedFields, to: { to?: string }): Message | undefined {
  const dist = read.text('dist');
  if (dist !== 'uniform' && dist !== 'exponential') return undefined;
  if (read.text('method') !== 'get' || read.text('acceptprotocol') !== 'http') return undefined;
  const delay: DelayRule = {
    distribution: dist,
    windowMs: read.integer('T'),
    peers: read.integer('n'),
  };
  return {
    type: 'request',
    ...tied,
    href: read.text('href'),
    variant: read.text('variant'),
    cachedOnly: read.flag('cached-only'),
    stale: read.flag('stale'),
    ...read.optional('ageMaxMs', 'max-age', Number),
    internet: read.flag('internet'),
    delay,
    nonce: read.text('nonce'),
    ...to,
  };
}

function decodeResponse(read: Reader, tied: TiedFields): Message | undefined {
  const base = {
    type: 'response',
    ...tied,
    waitedMs: read.integer('waited'),
    nonce: read.text('nonce'),
    to: read.text('to'),
  } as const;
  if (base.to === '') return undefined;
  const alias = read.text('alias');
  if (read.flag('none')) return alias === '' ? base : undefined;
  const copy: Copy = {
    alias,
    sizeBytes: read.integer('size'),
    sha256: read.text('sha256'),
    attestation: read.text('attestation'),
    fetchedAt: read.integer('fetched-at'),
    expiresAt: read.integer('expires'),
  };
  const complete = alias !== '' && copy.sha256 !== '' && copy.attestation !== '';
  const numbers = [copy.sizeBytes, copy.fetchedAt, copy.expiresAt];
  return complete && numbers.every(Number.isSafeInteger) ? { ...base, copy } : undefined;
}

function decodeCustom(
  attributes: ReadonlyMap<string, string>,
  type: string,
  to: { to?: string },
): Message | undefined {
  const service = attributes.get('service') ?? '';
  const prefix = `x-${service}-`;
  if (!type.startsWith(prefix)) return undefined;
  const own = [...attributes].filter(([name]) => !isReserved(name));
  const name = type.slice(prefix.length);
  return { type: 'custom', service, name, values: Object.fromEntries(own), ...to };
}
