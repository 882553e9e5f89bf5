/** What a fuzz saw: how many inputs, what became of them, and the first that show a fault. */

export interface Report {
  readonly target: string;
  readonly seed: number;
  inputs: number;
  /** Mutants that got what nobody may have: accepted though nobody signed them, for one. */
  accepted: number;
  throws: number;
  /** Inputs that two readers read differently, or that were answered by what no client can read. */
  disagreements: number;
  /** Inputs by outcome. */
  readonly outcomes: Record<string, number>;
  /** The first inputs that show a fault, hexadecimal, each with what happened. */
  readonly faults: string[];
}

const FAULTS_SHOWN = 5;

export function newReport(target: string, seed: number): Report {
  const nothing = { inputs: 0, accepted: 0, throws: 0, disagreements: 0 };
  return { target, seed, ...nothing, outcomes: {}, faults: [] };
}

export function note(
  report: Report,
  kind: 'accepted' | 'throws' | 'disagreements',
  input: Buffer,
  what: string,
): void {
  report[kind] += 1;
  if (report.faults.length < FAULTS_SHOWN) report.faults.push(`${what}: ${input.toString('hex')}`);
}

export function count(report: Report, name: string): void {
  report.outcomes[name] = (report.outcomes[name] ?? 0) + 1;
}

export function isClean({ accepted, throws, disagreements }: Report): boolean {
  return accepted + throws + disagreements === 0;
}
