/** What the doctor says: findings, each with what to do; and how it says it to a person. */

/** `bad`: it does not work; `warn`: it works worse than it could; `ok`: looked at, in order. */
export type Level = 'ok' | 'warn' | 'bad';

export interface Finding {
  /** What was looked at; stable, for programs. */
  readonly check: string;
  readonly level: Level;
  /** What was found. */
  readonly found: string;
  /** What to do about it. */
  readonly remedy: string | undefined;
}

export const ok = (check: string, found: string): Finding => {
  return { check, level: 'ok', found, remedy: undefined };
};

export const warn = (check: string, found: string, remedy: string): Finding => {
  return { check, level: 'warn', found, remedy };
};

export const bad = (check: string, found: string, remedy: string): Finding => {
  return { check, level: 'bad', found, remedy };
};

const MARKS: Readonly<Record<Level, string>> = { ok: 'ok  ', warn: 'WARN', bad: 'BAD ' };

export function describeFindings(findings: readonly Finding[]): string {
  return findings
    .map(({ check, level, found, remedy }) => {
      const line = `${MARKS[level]}  ${check.padEnd(14)}  ${found}`;
      return remedy === undefined ? line : `${line}\n${' '.repeat(22)}-> ${remedy}`;
    })
    .join('\n');
}
