/** The kinds of floods, and what is said to and by the program that makes them. */

export const FLOODS = ['noise', 'bomb', 'unknown-key', 'forged', 'recorded'] as const;
export type Flood = (typeof FLOODS)[number];

export interface FloodOrder {
  readonly kind: Flood;
  /** Whose address the packets come from. */
  readonly address: string;
  readonly packetPort: number;
  readonly victimAddress: string;
  readonly group: string;
  /** The kid that forged packets claim. */
  readonly memberKid: string;
  /** Recorded packets, base64, a line each. */
  readonly recordFile: string;
  readonly perSecond: number;
  readonly seconds: number;
}

export interface FloodResult {
  readonly sent: number;
  readonly perSecond: number;
  /** Datagrams that came back. */
  readonly replies: number;
}

export interface CallerOrder {
  readonly identityFile: string;
  readonly address: string;
  readonly packetPort: number;
  readonly victim: { readonly address: string; readonly kid: string };
  readonly perSecond: number;
  readonly seconds: number;
  /** Where what was sent is written down, a datagram a line, base64. */
  readonly recordFile?: string;
}

export interface CallerResult {
  readonly sent: number;
  /** Requests that were answered. */
  readonly answered: number;
  readonly kid: string;
}

export interface SlowlorisOrder {
  readonly host: string;
  readonly port: number;
  readonly kid: string;
  /** Addresses of the attacker, used in turn. */
  readonly addresses: readonly string[];
  readonly connections: number;
  /** In this time they are all opened. */
  readonly seconds: number;
  /** How long it is watched after the last one. */
  readonly waitMs: number;
}

export interface SlowlorisResult {
  readonly opened: number;
  /** Still open at the end. */
  readonly left: number;
  readonly longestMs: number;
  /** The longest life of each kind, ms. */
  readonly byKind: Readonly<Record<string, number>>;
}

export interface VisitorOrder {
  readonly identityFile: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly seconds: number;
}

export interface VisitorResult {
  readonly visits: number;
  readonly served: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface EvilOrder {
  readonly behaviour: string;
  /** How many evil members, each for one URL. */
  readonly count: number;
  /** Beginning of their names; `-NUMBER` follows. */
  readonly prefix: string;
  readonly authorityPem: string;
  readonly address: string;
  readonly broadcast: string;
  readonly packetPort: number;
  readonly victimAddress: string;
  /** A URL is this, `-NUMBER`, and the suffix. */
  readonly urlPrefix: string;
  readonly urlSuffix: string;
  /** What the origin's content is made of: this and `-NUMBER`. */
  readonly seedPrefix: string;
  readonly sizeBytes: number;
}

export interface ShownCertificate {
  readonly why: string;
  /** DER, base64. */
  readonly der: string;
  readonly keyPem: string;
}

export interface CertificatesOrder {
  readonly certificates: readonly ShownCertificate[];
  readonly caPem: string;
  readonly group: string;
  readonly address: string;
  readonly host: string;
  readonly port: number;
  readonly packetPort: number;
}

export interface CertificatesResult {
  readonly rows: ReadonlyArray<{
    readonly why: string;
    /** Whether a packet could be made with it. */
    readonly sent: boolean;
    /** Status of a path for members, and of a renewal. */
    readonly members: string;
    readonly renewal: string;
  }>;
}
