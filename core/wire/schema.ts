/**
 * One table of every packet type with its attributes (PROTOCOL §2.2). An attribute that the table
 * does not name is refused, except in custom packets, where the application adds its own.
 */
import { isNewer } from './version.js';

export type AttributeKind =
  | 'token'
  | 'integer'
  | 'port'
  | 'decimal'
  | 'flag'
  | 'kid'
  | 'sha256'
  | 'path'
  | 'url'
  | 'address'
  | 'certificate'
  | 'text';

const PATTERNS: Readonly<Record<AttributeKind, RegExp>> = {
  token: /^[A-Za-z0-9*][A-Za-z0-9._-]{0,63}$/,
  integer: /^(0|[1-9][0-9]{0,15})$/,
  port: /^[1-9][0-9]{0,4}$/,
  decimal: /^(0|[1-9][0-9]{0,8})(\.[0-9]{1,3})?$/,
  flag: /^[01]$/,
  kid: /^[A-Za-z0-9_-]{21}[AQgw]$/,
  sha256: /^[0-9a-f]{64}$/,
  path: /^\/[a-z]\/[0-9a-f]{64}$/,
  url: /^[a-z][a-z0-9+.-]{0,15}:[^\s"<>]{1,1000}$/,
  address: /^[0-9a-f.:]{2,45}$/,
  certificate: /^[A-Za-z0-9_-]{300,900}$/,
  text: /^.{0,600}$/u,
};

const PORT_MAX = 65_535;

type Attributes = Readonly<Record<string, AttributeKind>>;

export interface PacketSchema {
  readonly required: Attributes;
  readonly optional: Attributes;
}

/** In every packet, put in by the service itself. */
export const HEADER: Attributes = {
  type: 'token',
  version: 'token',
  group: 'token',
  kid: 'kid',
  boot: 'kid',
  seq: 'integer',
  ts: 'integer',
  addr: 'address',
  port: 'port',
};

const HEADER_OPTIONAL: Attributes = { to: 'kid', cert: 'certificate' };

const TYPES: Readonly<Record<string, PacketSchema>> = {
  request: {
    required: {
      service: 'token',
      ID: 'integer',
      method: 'token',
      href: 'url',
      acceptprotocol: 'token',
      variant: 'token',
      'cached-only': 'flag',
      internet: 'flag',
      dist: 'token',
      T: 'decimal',
      n: 'integer',
      nonce: 'kid',
    },
    optional: { stale: 'flag', 'max-age': 'integer' },
  },
  response: {
    required: { service: 'token', ID: 'integer', nonce: 'kid', waited: 'integer' },
    optional: {
      none: 'flag',
      alias: 'path',
      size: 'integer',
      sha256: 'sha256',
      attestation: 'path',
      'fetched-at': 'integer',
      expires: 'integer',
    },
  },
  'end-request': {
    required: { service: 'token', ID: 'integer' },
    optional: { source: 'kid' },
  },
  progress: {
    required: {
      service: 'token',
      ID: 'integer',
      href: 'url',
      variant: 'token',
      flight: 'path',
      received: 'integer',
      rate: 'integer',
    },
    optional: { total: 'integer', claim: 'flag', aborted: 'flag' },
  },
  hello: {
    required: { client: 'flag', server: 'flag', internet: 'flag', starting: 'flag', n: 'integer' },
    optional: { policy: 'integer' },
  },
  bye: { required: {}, optional: {} },
  election: {
    required: { service: 'token', epoch: 'integer', criteria: 'text' },
    optional: { open: 'flag' },
  },
  result: {
    required: {
      service: 'token',
      provider: 'token',
      epoch: 'integer',
      lease: 'integer',
      criteria: 'text',
      settled: 'flag',
    },
    optional: { backup: 'token', replaces: 'integer' },
  },
  standby: { required: { service: 'token', epoch: 'integer', criteria: 'text' }, optional: {} },
  alive: {
    required: { service: 'token', epoch: 'integer', ask: 'flag', interval: 'integer' },
    optional: {},
  },
};

/** Most attributes that an application may add to a packet of its own. */
export const CUSTOM_VALUES_MAX = 12;
const CUSTOM_TYPE = /^x-[a-z][a-z0-9-]{0,61}$/;

/** A type's attributes with those of every packet, ready to be looked up. */
interface Form {
  readonly kinds: ReadonlyMap<string, AttributeKind>;
  readonly required: ReadonlySet<string>;
}

function formOf({ required, optional }: PacketSchema): Form {
  const needed = { ...HEADER, ...required };
  return {
    kinds: new Map(Object.entries({ ...needed, ...HEADER_OPTIONAL, ...optional })),
    required: new Set(Object.keys(needed)),
  };
}

const FORMS = new Map(Object.entries(TYPES).map(([type, schema]) => [type, formOf(schema)]));
const CUSTOM_FORM = formOf({ required: { service: 'token' }, optional: {} });

/**
 * Whether the attributes are those of a known packet type, each of its kind; of a newer minor
 * version also further ones, which nobody here reads. Attributes of the gate's map are looked up by
 * name; a name such as `__proto__` is just a name that no table has.
 */
export function fitsSchema(attributes: ReadonlyMap<string, string>): boolean {
  const type = attributes.get('type') ?? '';
  const custom = CUSTOM_TYPE.test(type);
  const form = FORMS.get(type) ?? (custom ? CUSTOM_FORM : undefined);
  if (form === undefined) return false;
  const newer = isNewer(attributes.get('version'));
  let missing = form.required.size;
  let own = 0;
  for (const [name, value] of attributes) {
    const kind = form.kinds.get(name);
    if (kind === undefined) {
      own += 1;
      if (!PATTERNS.text.test(value)) return false;
      if (!newer && (!custom || own > CUSTOM_VALUES_MAX)) return false;
    } else if (!isOfKind(kind, value)) return false;
    else if (form.required.has(name)) missing -= 1;
  }
  return missing === 0;
}

function isOfKind(kind: AttributeKind, value: string): boolean {
  if (!PATTERNS[kind].test(value)) return false;
  if (kind === 'integer') return Number.isSafeInteger(Number(value));
  return kind !== 'port' || Number(value) <= PORT_MAX;
}

/** Whether `name` belongs to the service itself, in a custom packet. */
export function isReserved(name: string): boolean {
  return (
    name === 'service' ||
    name === 'sig' ||
    Object.hasOwn(HEADER, name) ||
    Object.hasOwn(HEADER_OPTIONAL, name)
  );
}
