/**
 * The simulated LAN: delay, loss, duplicates and partitions, drawn independently per packet and
 * receiver from a seeded generator. Messages are passed by reference (the wire has its own tests).
 */
import type { SeededRandom } from '@peerage/core/base/random.js';

export interface NetworkOptions {
  /** One-way delay, uniform between these. */
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** Share of packets lost, per packet and receiver. */
  readonly loss: number;
  /** Share of packets that arrive twice. */
  readonly duplicates: number;
  /** How broadcasts differ, where they do. */
  readonly broadcast?: {
    readonly delayMaxMs: number;
    /** Share of receivers that sleep when one comes, and how much later they get it at most. */
    readonly asleep: number;
    readonly asleepMaxMs: number;
  };
}

/** The model of the published figures: one-way 0.2 to 2 ms, nothing lost. */
export const LAN: NetworkOptions = { delayMinMs: 0.2, delayMaxMs: 2, loss: 0, duplicates: 0 };

/**
 * A stress model of Wi-Fi, invented rather than measured: unicast 1 to 8 ms; broadcast 1 to 10 ms,
 * and for a fifth of the receivers up to a beacon interval more.
 */
export const WIFI: NetworkOptions = {
  delayMinMs: 1,
  delayMaxMs: 8,
  loss: 0,
  duplicates: 0,
  broadcast: { delayMaxMs: 10, asleep: 0.2, asleepMaxMs: 102.4 },
};

export class Network {
  readonly options: NetworkOptions;
  private readonly random: SeededRandom;
  private readonly islands = new Map<string, number>();
  /** Packets sent: a broadcast counts once. */
  packets = 0;
  broadcasts = 0;

  constructor(options: NetworkOptions, random: SeededRandom) {
    this.options = options;
    this.random = random;
  }

  /** Puts a node on an island; nodes of different islands do not hear each other. */
  isolate(address: string, island: number): void {
    this.islands.set(address, island);
  }

  heal(): void {
    this.islands.clear();
  }

  /** Calls `arrive` with each delay after which a packet arrives: not if it is lost, twice if it is duplicated. */
  carry(from: string, to: string, broadcast: boolean, arrive: (delayMs: number) => void): void {
    if (this.areParted(from, to)) return;
    const { loss, duplicates } = this.options;
    if (loss > 0 && this.random.fraction() < loss) return;
    const twice = duplicates > 0 && this.random.fraction() < duplicates;
    arrive(this.delayMs(broadcast));
    if (twice) arrive(this.delayMs(broadcast));
  }

  private areParted(from: string, to: string): boolean {
    const { islands } = this;
    return islands.size > 0 && (islands.get(from) ?? 0) !== (islands.get(to) ?? 0);
  }

  private delayMs(broadcast: boolean): number {
    const { delayMinMs, delayMaxMs } = this.options;
    const way = broadcast ? this.options.broadcast : undefined;
    const most = way?.delayMaxMs ?? delayMaxMs;
    return delayMinMs + this.random.fraction() * (most - delayMinMs) + this.lateMs(way);
  }

  private lateMs(way: NetworkOptions['broadcast']): number {
    if (way === undefined || this.random.fraction() >= way.asleep) return 0;
    return this.random.fraction() * way.asleepMaxMs;
  }
}
