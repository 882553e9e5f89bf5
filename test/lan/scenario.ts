/**
 * What a scenario is: a name, a summary, the options it understands, and a function to a report.
 */
import type { Report } from './report.js';

/**
 * By what the hosts get their files: `direct` is the same ground without Peerage, `aria2` another
 * program beside it, to compare.
 */
export const PEERS = ['peerage', 'direct', 'aria2'] as const;
export type Peer = (typeof PEERS)[number];

/** How clients reach the cache: as a forward proxy, or as a mirror of a TLS origin. */
export const ROUTES = ['proxy', 'mirror'] as const;
export type Via = (typeof ROUTES)[number];

/** Whether the origin answers requests for a part. */
export const RANGES = ['on', 'off'] as const;
export type Ranges = (typeof RANGES)[number];

export interface ScenarioOptions {
  readonly hosts?: number | undefined;
  /** How often the same is done, where a scenario repeats itself. */
  readonly runs?: number | undefined;
  /** Number of the first repetition; each number is another file. */
  readonly seed?: number | undefined;
  readonly range?: Ranges | undefined;
  readonly peer?: Peer | undefined;
  /** How often each thing is tried (evil, replay). */
  readonly times?: number | undefined;
  readonly sizeBytes?: number | undefined;
  /** For the test command: shorter, and with room for a busy machine. */
  readonly short?: boolean;
  /** How long each part of an attack lasts. */
  readonly seconds?: number | undefined;
  readonly via?: Via | undefined;
  /** Where the nodes' logs are kept after the run; they go with the LAN otherwise. */
  readonly logsDirectory?: string | undefined;
  /** Told of each step as it begins. */
  readonly say?: (step: string) => void;
}

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  /** What `--peer` may name; Peerage alone and nothing to compare with by default. */
  readonly peers?: readonly Peer[];
  /** Why it cannot run on this machine, `undefined` if it can. */
  missing(): string | undefined;
  run(options: ScenarioOptions): Promise<Report>;
}
