/**
 * How well this machine is placed to provide (PROTOCOL §8.3): what the system says of it, whether
 * the Internet answers, and how fast past downloads were. Values are coarse on purpose: a standing
 * that moves with every sample would move the office with it.
 *
 * Invariants: nothing here throws or waits longer than its bound; `core.internet: false` wins over
 * whatever a probe finds.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus, platform, uptime } from 'node:os';
import { join } from 'node:path';
import type { InstantMs } from '../base/time.js';
import type { InternetReach } from '../ports/ports.js';

export interface PlacementOptions {
  /** The admin's weight of this machine. */
  readonly weight: number;
  /** Whether this node may use the Internet. */
  readonly internet: boolean;
  /** Addresses that answer where there is Internet access; none: the setting alone counts. */
  readonly probeUrls: readonly string[];
  /** Whether anything answers at this address; `no-way` where not even a packet could be sent. */
  readonly reach: (url: string) => Promise<Reached>;
  /** Network cards that the packets leave by. */
  readonly interfaces: () => readonly string[];
  readonly nowMs: () => InstantMs;
  /** Where the system describes itself; `/sys` on Linux. */
  readonly systemDirectory?: string;
}

/** What came of an attempt to reach the Internet. */
export type Reached = 'answered' | 'silent' | 'no-way';

/** So many origins in a row must be silent; one may be down. */
const SILENT_HOSTS = 2;
/** What origins did says something for this long, in milliseconds: until the next probe. */
const LASTS_MS = 60_000;
/** Mbit/s from which on each bandwidth band begins; below the first is band 0, as is unknown. */
const BANDWIDTH_BANDS_MBIT: readonly number[] = [1, 4, 16, 64, 256, 1000, 4000];
/** Cores times GHz from which on each processor band begins. */
const PROCESSOR_BANDS_GHZ: readonly number[] = [2, 4, 8, 16, 32, 64, 128];
/** Hours of uptime from which on each band begins. */
const UPTIME_BANDS_HOURS: readonly number[] = [1, 24, 24 * 7];
/** How much of the best bandwidth is left at each further download, so that it can also fall. */
const BANDWIDTH_MEMORY = 0.9;
/** Clock speed assumed where the system does not say, as in many virtual machines. */
const PROCESSOR_ASSUMED_MHZ = 2000;
/** Systems that are made to serve come first. */
const SYSTEMS: Readonly<Record<string, number>> = { linux: 2, freebsd: 2, win32: 1, darwin: 1 };

export class Placement implements InternetReach {
  /** The bandwidth of past downloads from the Internet; 0 while there were none. */
  bytesPerSecond: number;
  private readonly options: PlacementOptions;
  private online = false;
  private probed: Reached | undefined;
  /** Origins that could not be reached since the last one that answered. */
  private readonly silentHosts = new Set<string>();
  private silentAt: InstantMs = Number.NEGATIVE_INFINITY;
  private answeredAt: InstantMs = Number.NEGATIVE_INFINITY;

  constructor(options: PlacementOptions, bytesPerSecond: number) {
    this.options = options;
    this.bytesPerSecond = bytesPerSecond;
  }

  /** Tests the Internet access: one address that answers is enough. */
  async probe(): Promise<void> {
    const { internet, probeUrls, reach } = this.options;
    if (!internet || probeUrls.length === 0) {
      this.online = internet;
      return;
    }
    const failures: Reached[] = [];
    const answers = probeUrls.map(async (url) => {
      const reached = await reach(url);
      if (reached === 'answered') return reached;
      failures.push(reached);
      throw new Error(url);
    });
    const silence = () => (failures.every((each) => each === 'no-way') ? 'no-way' : 'silent');
    this.probed = await Promise.any(answers).catch(silence);
    this.online = this.probed === 'answered';
    if (this.online) this.silentHosts.clear();
  }

  /** An origin was asked for something, and answered or could not be reached. */
  originAsked(host: string, answered: boolean): void {
    const now = this.options.nowMs();
    if (answered) {
      this.silentHosts.clear();
      this.answeredAt = now;
    } else {
      if (this.silentHosts.size < SILENT_HOSTS) this.silentHosts.add(host);
      this.silentAt = now;
    }
  }

  /**
   * Whether an origin may be reached from here, so that others may count on us (§5.3). Probes alone do
   * not deny it, for a wall may let the origins pass and not the probes: either there is no way out at
   * all, or of late several origins in a row were silent, too. An origin that answers proves them wrong.
   */
  get reaches(): boolean {
    if (this.probed === undefined || this.online) return true;
    const now = this.options.nowMs();
    if (now - this.answeredAt < LASTS_MS) return true;
    if (this.probed === 'no-way') return false;
    return this.silentHosts.size < SILENT_HOSTS || now - this.silentAt >= LASTS_MS;
  }

  /** A download from the Internet went at this pace. */
  downloaded(bytesPerSecond: number): void {
    this.bytesPerSecond = Math.max(bytesPerSecond, this.bytesPerSecond * BANDWIDTH_MEMORY);
  }

  /** The value of each level. */
  levels(): Record<string, number> {
    const { weight } = this.options;
    return {
      weight,
      internet: this.online ? 1 : 0,
      bandwidth: bandOf((this.bytesPerSecond * 8) / 1e6, BANDWIDTH_BANDS_MBIT),
      wired: this.wired() ? 1 : 0,
      mains: this.mains() ? 1 : 0,
      os: SYSTEMS[platform()] ?? 0,
      cpu: bandOf(processorGHz(), PROCESSOR_BANDS_GHZ),
      uptime: bandOf(uptime() / 3600, UPTIME_BANDS_HOURS),
    };
  }

  /** Whether a card that takes part is no radio; unknown systems count as wired. */
  private wired(): boolean {
    const folder = join(this.systemDirectory, 'class/net');
    const cards = this.options.interfaces();
    return cards.length === 0 || cards.some((card) => !existsSync(join(folder, card, 'wireless')));
  }

  /** Whether it runs on mains; a machine without a battery does. */
  private mains(): boolean {
    const folder = join(this.systemDirectory, 'class/power_supply');
    let battery = false;
    for (const supply of listOf(folder)) {
      const type = textOf(join(folder, supply, 'type'));
      if (type === 'Mains' && textOf(join(folder, supply, 'online')) === '1') return true;
      battery ||= type === 'Battery';
    }
    return !battery;
  }

  private get systemDirectory(): string {
    return this.options.systemDirectory ?? '/sys';
  }
}

/** How many thresholds a value has reached. */
export function bandOf(value: number, thresholds: readonly number[]): number {
  return thresholds.filter((threshold) => value >= threshold).length;
}

function processorGHz(): number {
  return cpus().reduce((sum, { speed }) => sum + (speed || PROCESSOR_ASSUMED_MHZ) / 1000, 0);
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
