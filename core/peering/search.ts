/**
 * A search as the content shell sees it: promises over the heart's `retrieve` and `settle`.
 * Invariant: after `done` or `cancel` nothing reaches the heart any more.
 */
import type { LanSearch } from '../ports/ports.js';
import type { SearchWitness } from '../ports/why.js';
import type { LanSource, Source } from '../protocol/effect.js';
import type { RetrievalResult } from '../protocol/retrieval.js';

/** How the search reports back to the heart. */
export interface SearchReports {
  retrieved(result: RetrievalResult, source: Source | undefined): void;
  cancel(): void;
}

export class PendingSearch implements LanSearch {
  better: Promise<LanSource>;
  private resolveBetter: (flight: LanSource) => void = () => undefined;
  private readonly reports: SearchReports;
  readonly href: string;
  /** Is told whom the search asked, and what they said. */
  readonly witness: SearchWitness | undefined;
  private readonly offers: Source[] = [];
  private waiting: ((source: Source | undefined) => void) | undefined;
  private over = false;
  private current: Source | undefined;

  constructor(reports: SearchReports, href: string, witness?: SearchWitness) {
    this.href = href;
    this.reports = reports;
    this.witness = witness;
    this.better = this.awaitBetter();
  }

  async first(): Promise<Source> {
    const source = await this.take();
    return source ?? { kind: 'origin', reason: 'nobody-answered' };
  }

  next(failed: Source, result: Exclude<RetrievalResult, 'ok'>): Promise<Source | undefined> {
    this.reports.retrieved(result, failed);
    return this.take();
  }

  done(): void {
    if (!this.over) this.reports.retrieved('ok', this.current);
  }

  cancel(): void {
    if (!this.over) this.reports.cancel();
    this.settled();
  }

  /** The heart's effect `retrieve`. */
  offered(source: Source): void {
    const replaces = this.current?.kind === 'origin' && source.kind !== 'origin';
    this.current = source;
    if (replaces) return this.resolveBetter(source);
    // What was better the last time has failed since, or the Internet would not be asked again.
    if (source.kind === 'origin') this.better = this.awaitBetter();
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting === undefined) this.offers.push(source);
    else waiting(source);
  }

  /** The heart's effect `settle`. */
  settled(): void {
    this.over = true;
    this.waiting?.(undefined);
    this.waiting = undefined;
  }

  private awaitBetter(): Promise<LanSource> {
    return new Promise((resolve) => {
      this.resolveBetter = resolve;
    });
  }

  private take(): Promise<Source | undefined> {
    const offer = this.offers.shift();
    if (offer !== undefined || this.over) return Promise.resolve(offer);
    return new Promise((resolve) => {
      this.waiting = resolve;
    });
  }
}
