/**
 * The core's own settings (`core` in plugins.json): schema, defaults, bounds. Everything that an
 * admin may change about the core stands here, units in the names.
 */
import { HOURS_PATTERN } from '../base/hours.js';
import { OBJECT_PORT, PACKET_PORT, ROUND_TRIP_INITIAL_MS } from '../protocol/limits.js';

export interface CoreSettings {
  /** `auto`: every suitable LAN interface; else the one address that all listeners use. */
  readonly address: string;
  readonly packetPort: number;
  readonly objectPort: number;
  readonly roles: 'both' | 'client' | 'server';
  readonly profile: 'adaptive' | 'classic';
  /** Whether this node may use the Internet. */
  readonly internet: boolean;
  readonly broadcastResponses: boolean;
  readonly roundTripInitialMs: number;
  /** Where objects are kept; `store` in the state directory if empty. */
  readonly storeDirectory: string;
  readonly storeQuotaMiB: number;
  /** Networks (CIDR) that origins may be in although they are local; see the README. */
  readonly originAllow: readonly string[];
  /** `http://host:port` of the office's own proxy; none if empty. */
  readonly upstreamProxy: string;
  /** PEM file with further certificate authorities for origins; none if empty. */
  readonly extraCa: string;
  readonly election: ElectionSettings;
  /** Loopback port of `/metrics` and `/health`; 0 for none. */
  readonly metricsPort: number;
  /** Whether peers get anything from this node. */
  readonly serve: boolean;
  /** Most that peers get from this node, and it from the Internet; 0: no limit. */
  readonly uploadRateKiBps: number;
  readonly internetRateKiBps: number;
  /** `18:00-06:00`; empty: always. */
  readonly internetHours: string;
}

/** What this machine brings to the elections, and whom the admin wants or does not. */
export interface ElectionSettings {
  /** Above 0 it is preferred, below 0 it is the last choice. */
  readonly weight: number;
  /** Addresses that show whether the Internet answers; without any, `internet` alone counts. */
  readonly probeUrls: readonly string[];
  /** The node that provides wherever it can; none if empty. */
  readonly pin: string;
  /** Nodes that never provide. */
  readonly exclude: readonly string[];
}

const NODE_NAME = '^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$';

const ELECTION_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  default: {},
  description: 'The election of the machine that provides for the others.',
  properties: {
    weight: {
      type: 'integer',
      minimum: -100,
      maximum: 100,
      default: 0,
      description: 'Above 0: this machine is preferred as provider; below 0: the last choice.',
    },
    probeUrls: {
      type: 'array',
      maxItems: 8,
      items: { type: 'string', pattern: '^https?://' },
      default: [
        'http://connectivity-check.ubuntu.com/',
        'http://www.msftconnecttest.com/connecttest.txt',
        'http://captive.apple.com/',
      ],
      description: 'One that answers shows that there is Internet access; none: not tested.',
    },
    pin: {
      type: 'string',
      pattern: `^$|${NODE_NAME}`,
      default: '',
      description: 'The node that is to provide, by name; the same on all nodes.',
    },
    exclude: {
      type: 'array',
      maxItems: 256,
      default: [],
      items: { type: 'string', pattern: NODE_NAME },
      description: 'Nodes that are never to provide, by name; the same on all nodes.',
    },
  },
} as const;

const port = (value: number, description: string) => ({
  type: 'integer',
  minimum: 1,
  maximum: 65535,
  default: value,
  description,
});

/** A slower one would be taken for a dead one (PROTOCOL §4.6). */
const RATE_MIN_KIBPS = 64;

const rate = (description: string) => ({
  anyOf: [{ const: 0 }, { type: 'integer', minimum: RATE_MIN_KIBPS, maximum: 100_000_000 }],
  default: 0,
  description: `${description} At least ${RATE_MIN_KIBPS}; 0: no limit.`,
});

export const CORE_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  default: {},
  description: 'Settings of the core itself.',
  properties: {
    address: {
      type: 'string',
      pattern: '^(auto|[0-9.]{7,15})$',
      default: 'auto',
      description: 'auto: every suitable LAN interface; else the one IPv4 address to listen on.',
    },
    packetPort: port(PACKET_PORT, 'UDP port of the packets, the same on all nodes of a LAN.'),
    objectPort: port(OBJECT_PORT, 'TCP port of the object server.'),
    roles: {
      enum: ['both', 'client', 'server'],
      default: 'both',
      description: 'client: only asks; server: only answers.',
    },
    profile: {
      enum: ['adaptive', 'classic'],
      default: 'adaptive',
      description: 'Timing of requests: by the measured LAN, or the original 0 to 2000 ms.',
    },
    internet: {
      type: 'boolean',
      default: true,
      description: 'Whether this node may use the Internet.',
    },
    broadcastResponses: {
      type: 'boolean',
      default: false,
      description: 'Broadcast "I have" instead of sending it to the requester alone.',
    },
    roundTripInitialMs: {
      type: 'number',
      minimum: 1,
      maximum: 50,
      default: ROUND_TRIP_INITIAL_MS,
      description: 'LAN round trip in milliseconds that is assumed before any was measured.',
    },
    storeDirectory: {
      type: 'string',
      default: '',
      description: 'Where objects are kept; empty: "store" in the state directory.',
    },
    storeQuotaMiB: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000_000,
      default: 10_240,
      description:
        'Most that the store may hold, in MiB; the least recently used objects go first.',
    },
    originAllow: {
      type: 'array',
      maxItems: 64,
      default: [],
      items: { type: 'string', pattern: '^[0-9a-f.:]+/[0-9]{1,3}$' },
      description: 'Local networks (CIDR) in which origins are allowed.',
    },
    upstreamProxy: {
      type: 'string',
      pattern: '^(|https?://[^/]+/?)$',
      default: '',
      description: "The office's own HTTP proxy, http://host:port.",
    },
    extraCa: {
      type: 'string',
      default: '',
      description: 'PEM file with further certificate authorities for origins.',
    },
    serve: {
      type: 'boolean',
      default: true,
      description:
        'Whether peers get anything from this node; `peerage serving on|off` until a restart.',
    },
    uploadRateKiBps: rate('Most that peers get from this node together, in KiB/s.'),
    internetRateKiBps: rate('Most that this node takes from the Internet, in KiB/s.'),
    internetHours: {
      type: 'string',
      pattern: HOURS_PATTERN,
      default: '',
      description: 'Hours in which plugins may use the Internet, 18:00-06:00; empty: always.',
    },
    metricsPort: {
      type: 'integer',
      minimum: 0,
      maximum: 65535,
      default: 0,
      description: 'Port on 127.0.0.1 for /metrics (Prometheus) and /health; 0: none.',
    },
    election: ELECTION_SCHEMA,
  },
} as const;
