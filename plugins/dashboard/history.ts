/**
 * What was saved over time: Internet bytes against LAN bytes, one sample a minute for a day, kept
 * through restarts. Invariant: totals never go back, though the core counts from 0 at each start.
 */

/** One sample a minute for a day. */
export const SAMPLES_MAX = 1440;
export const SAMPLE_MS = 60_000;

/** Time in seconds since 1970, and bytes in all until then. */
export type Sample = readonly [atSeconds: number, internetBytes: number, lanBytes: number];

/** The core's counters of bytes since its start. */
export interface Totals {
  readonly internetBytes: number;
  readonly lanBytes: number;
}

export class History {
  private samples: Sample[];
  private readonly base: Totals;

  /** @param kept what {@link keep} gave before the restart; anything else begins anew */
  constructor(kept: unknown) {
    this.samples = isSamples(kept) ? kept.slice(-SAMPLES_MAX) : [];
    const [, internetBytes = 0, lanBytes = 0] = this.samples.at(-1) ?? [0];
    this.base = { internetBytes, lanBytes };
  }

  add(atMs: number, totals: Totals): void {
    this.samples.push(this.sample(atMs, totals));
    if (this.samples.length > SAMPLES_MAX) this.samples.shift();
  }

  /** The samples, and the present as the last one. */
  with(atMs: number, totals: Totals): readonly Sample[] {
    return [...this.samples, this.sample(atMs, totals)];
  }

  keep(): readonly Sample[] {
    return this.samples;
  }

  private sample(atMs: number, { internetBytes, lanBytes }: Totals): Sample {
    const { base } = this;
    return [Math.round(atMs / 1000), base.internetBytes + internetBytes, base.lanBytes + lanBytes];
  }
}

function isSamples(value: unknown): value is Sample[] {
  const fits = (row: unknown) =>
    Array.isArray(row) && row.length === 3 && row.every((cell) => Number.isFinite(cell));
  return Array.isArray(value) && value.every(fits);
}
