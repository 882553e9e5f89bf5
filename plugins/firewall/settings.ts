/**
 * The settings of the plugin, as the host hands them over, and what follows from them.
 *
 * Their schema, defaults and descriptions are in package.json, section `peerage.settings`.
 */
import { CodedError } from '@peerage/sdk';
import type { Direction } from './nftables.js';
import type { PolicySettings } from './policy.js';
import type { ProbeAddress } from './probe.js';

export type SourceFormat = 'list' | 'spamhaus' | 'csv' | 'json' | 'suricata';

export interface SourceSettings extends PolicySettings {
  readonly name: string;
  readonly format: SourceFormat;
  readonly url: string;
  readonly unauthenticated?: 'accept';
  /** The public key of minisign under which the list's `.minisig` is. */
  readonly minisignKey?: string;
  readonly column?: string;
  readonly list?: string;
  readonly intervalSeconds?: number;
}

export interface FirewallSettings {
  readonly sources: readonly SourceSettings[];
  readonly allow: readonly string[];
  readonly sshPorts: readonly number[];
  readonly nftables: { readonly enabled: boolean; readonly directions: readonly Direction[] };
  readonly file?: { readonly path: string; readonly command: boolean };
  readonly suricata?: { readonly path: string; readonly minRules: number };
  readonly probe: {
    readonly connect: readonly ProbeAddress[];
    readonly peerPort: number;
    readonly confirmSeconds: number;
  };
}

interface Manners {
  /** What the publishers ask for: no question to the origin sooner than this. */
  readonly leastSeconds: number;
  readonly usualSeconds: number;
}

const MANNERS: Readonly<Record<SourceFormat, Manners>> = {
  list: { leastSeconds: 10, usualSeconds: 3600 },
  // "Once a day is enough", at least an hour apart, or one is shut out.
  spamhaus: { leastSeconds: 3600, usualSeconds: 24 * 3600 },
  // abuse.ch makes its lists every five minutes.
  csv: { leastSeconds: 300, usualSeconds: 3600 },
  json: { leastSeconds: 300, usualSeconds: 3600 },
  // suricata-update itself asks nothing again within a quarter of an hour.
  suricata: { leastSeconds: 900, usualSeconds: 12 * 3600 },
};

/** Pause between two questions to the origin, in milliseconds; never below the format's least. */
export function intervalMs({ format, intervalSeconds }: SourceSettings): number {
  const { leastSeconds, usualSeconds } = MANNERS[format];
  return Math.max(leastSeconds, intervalSeconds ?? usualSeconds) * 1000;
}

/** The least pause that the publishers of a format ask for, in milliseconds. */
export function leastIntervalMs({ format }: SourceSettings): number {
  return MANNERS[format].leastSeconds * 1000;
}

/** @throws CodedError `E_SOURCE_INVALID` */
export function judgeSources({ sources, suricata }: FirewallSettings): void {
  const names = new Set<string>();
  for (const { name, format, minisignKey } of sources) {
    if (names.has(name)) throw invalid(name, 'there are two of that name', 'a name of its own');
    names.add(name);
    if (format === 'suricata' && minisignKey !== undefined) {
      throw invalid(name, 'archives of rules have no .minisig', '"minisignKey" for lists alone');
    }
    if (format === 'suricata' && suricata === undefined) {
      throw invalid(name, 'there is no "suricata" in the settings', 'the path of the rules');
    }
  }
}

function invalid(name: string, what: string, expected: string): CodedError {
  return new CodedError('E_SOURCE_INVALID', `source ${name}: ${what}`, {
    expected,
    action: 'correct "sources" in the settings of firewall',
  });
}

/** A list that nobody signs is taken only if the admin says so. @throws CodedError */
export function demandTrust({ name, unauthenticated, minisignKey }: SourceSettings): void {
  if (unauthenticated === 'accept' || minisignKey !== undefined) return;
  throw new CodedError('E_SOURCE_UNAUTHENTICATED', `nobody signs the source ${name}`, {
    expected: '"minisignKey" or "unauthenticated": "accept" in its settings',
    action: 'say so if you trust whoever serves its URL',
  });
}
