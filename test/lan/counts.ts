/**
 * What an upstream counted: how often each URL was asked for, and what was sent for it.
 *
 * Shared by the origin, which keeps them, and by the scenarios, which judge by them. `bodyBytes`
 * are bytes of bodies handed to the client's connection, without heads.
 */

/** URLs counted one by one; further ones are counted together, so the table stays bounded. */
const MAX_URLS = 20_000;
const FURTHER_URLS = '(further URLs)';

export interface UrlCounts {
  /** GET requests, of whatever outcome. */
  gets: number;
  heads: number;
  /** POST and PUT requests. */
  uploads: number;
  /** Answers to GET that carried the resource or a part of it. */
  bodies: number;
  /** Those of the bodies that were a part only (206). */
  partials: number;
  bodyBytes: number;
  uploadedBytes: number;
  /** GETs that came with a validator. */
  conditionals: number;
  notModified: number;
  /** Answers of 400 and above. */
  failures: number;
}

export interface Counts {
  readonly total: UrlCounts;
  readonly urls: Record<string, UrlCounts>;
}

function noCounts(): UrlCounts {
  return {
    gets: 0,
    heads: 0,
    uploads: 0,
    bodies: 0,
    partials: 0,
    bodyBytes: 0,
    uploadedBytes: 0,
    conditionals: 0,
    notModified: 0,
    failures: 0,
  };
}

/** Keeps the counts of one upstream. */
export class Counter {
  #urls = new Map<string, UrlCounts>();

  /** The counts of one URL, to be added to. */
  of(url: string): UrlCounts {
    const key = this.#urls.has(url) || this.#urls.size < MAX_URLS ? url : FURTHER_URLS;
    const counts = this.#urls.get(key) ?? noCounts();
    this.#urls.set(key, counts);
    return counts;
  }

  reset(): void {
    this.#urls = new Map();
  }

  report(): Counts {
    const total = noCounts();
    for (const counts of this.#urls.values()) {
      for (const key of Object.keys(total) as (keyof UrlCounts)[]) total[key] += counts[key];
    }
    return { total, urls: Object.fromEntries(this.#urls) };
  }
}
