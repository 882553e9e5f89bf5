/** What a bench is: a name, what it needs, and a run that ends in a report of figures. */
import type { Report } from '../lan/report.js';

export interface BenchOptions {
  /** Small sizes and few rounds: shows that the bench runs, its figures mean nothing. */
  readonly tiny: boolean;
  /** Told each step. */
  readonly say: (step: string) => void;
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  /** Why it cannot run here, `undefined` if it can. */
  missing(): string | undefined;
  run(options: BenchOptions): Promise<Report>;
}
