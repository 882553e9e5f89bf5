/**
 * What a scenario reports: figures, targets, and whether they hold; as JSON or to be read.
 */

export interface Target {
  readonly name: string;
  readonly value: number | string | boolean;
  /** What the value had to be, in words. */
  readonly target: string;
  readonly pass: boolean;
}

/** A line of a scenario's table. */
export type Row = Readonly<Record<string, number | string | boolean>>;

export interface Report {
  readonly scenario: string;
  readonly options: Readonly<Record<string, number | string | boolean>>;
  readonly rows: readonly Row[];
  /** What the rows are made of, where they sum up. */
  readonly details?: readonly Row[];
  readonly targets: readonly Target[];
  /** What a reader has to know to judge the figures. */
  readonly notes: readonly string[];
}

export function equal<T extends number | string | boolean>(
  name: string,
  value: T,
  expected: T,
): Target {
  return { name, value, target: `= ${expected}`, pass: value === expected };
}

export function atMost(name: string, value: number, bound: number): Target {
  return { name, value: rounded(value), target: `<= ${rounded(bound)}`, pass: value <= bound };
}

export function atLeast(name: string, value: number, bound: number): Target {
  return { name, value: rounded(value), target: `>= ${rounded(bound)}`, pass: value >= bound };
}

/** Three decimals are what the lab's figures are worth. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** The targets that do not hold, each in a line; empty if all do. */
export function failed(report: Report): string[] {
  return report.targets
    .filter(({ pass }) => !pass)
    .map(({ name, value, target }) => `${name}: ${value}, not ${target}`);
}

/** The report to be read on a terminal. */
export function printed(report: Report): string {
  const options = Object.entries(report.options).map(([name, value]) => `${name}=${value}`);
  const targets = report.targets.map(({ pass, ...rest }) => ({
    ...rest,
    '': pass ? 'ok' : 'FAIL',
  }));
  const parts = [
    `${report.scenario} (${options.join(', ')})`,
    table(report.rows),
    table(report.details ?? []),
    table(targets),
    report.notes.join('\n'),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function table(rows: readonly Row[]): string {
  const first = rows[0];
  if (first === undefined) return '';
  const columns = Object.keys(first);
  const lines = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '')))];
  const widths = columns.map((_, index) =>
    Math.max(...lines.map((line) => line[index]?.length ?? 0)),
  );
  const padded = (line: readonly string[]) =>
    line.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ');
  return lines.map((line) => `  ${padded(line).trimEnd()}`).join('\n');
}
