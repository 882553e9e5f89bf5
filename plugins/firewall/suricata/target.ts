/**
 * Puts rules into the file that Suricata loads: test beside it, swap, reload, or leave as it was.
 *
 *   write beside ─► suricata -T ─► keep the old ─► rename ─► reload ─► (refused: the old again)
 *
 * Invariant: under the rules' own name there is always a whole file that Suricata's test passed.
 */
import { readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CodedError, type Log, type ProgramService } from '@peerage/sdk';
import { replaceFile } from '../disk.js';
import { PROGRAM_TIMEOUT_MS } from '../limits.js';
import { placeOf } from './rules.js';

/** Suricata compiles 50,000 rules in about a minute on a slow machine. */
const TEST_TIMEOUT_MS = 10 * PROGRAM_TIMEOUT_MS;

export interface SuricataOptions {
  readonly programs: Pick<ProgramService, 'run'>;
  /** The file that Suricata loads. */
  readonly path: string;
  readonly log: Log;
}

export class SuricataTarget {
  private readonly options: SuricataOptions;

  constructor(options: SuricataOptions) {
    this.options = options;
  }

  /** @throws CodedError `E_RULES_REFUSED` with the rules before in force */
  async put(text: string): Promise<void> {
    const { path } = this.options;
    const before = await readFile(path).catch(() => undefined);
    if (before?.equals(Buffer.from(text)) === true) return;
    await this.test(text);
    await replaceFile(path, text);
    try {
      await this.reload();
    } catch (error) {
      if (before === undefined) await rm(path, { force: true });
      else await replaceFile(path, before);
      await this.reload().catch((second: unknown) => {
        this.options.log.warn('not-reloaded', { error: second });
      });
      throw error;
    }
  }

  private async test(text: string): Promise<void> {
    const { path, programs } = this.options;
    const rules = `${path}.test`;
    await replaceFile(rules, text);
    try {
      const values = { rules, logs: dirname(path) };
      const done = await programs.run('suricata-test', values, { timeoutMs: TEST_TIMEOUT_MS });
      if (done.exitCode === 0) return;
      const said = `${done.stdout}\n${done.stderr}`;
      const line = Number(/\bline (\d+)/.exec(said)?.[1] ?? Number.NaN);
      const place = Number.isNaN(line) ? undefined : placeOf(text, line);
      throw refused(place ?? 'the new rules', reasonIn(said));
    } finally {
      await rm(rules, { force: true });
    }
  }

  private async reload(): Promise<void> {
    const { programs } = this.options;
    const done = await programs.run('suricata-reload', {}, { timeoutMs: PROGRAM_TIMEOUT_MS });
    if (done.exitCode !== 0) throw refused('the reload', reasonIn(`${done.stderr}${done.stdout}`));
  }
}

function reasonIn(said: string): string {
  const lines = said.split('\n').map((line) => line.trim());
  const telling = lines.find((line) => /error/i.test(line)) ?? lines.find((line) => line !== '');
  return (telling ?? 'it gave no reason').slice(0, 300);
}

function refused(what: string, why: string): CodedError {
  return new CodedError('E_RULES_REFUSED', `Suricata refused ${what}: ${why}`, {
    expected: 'rules that its own test takes, and a reload',
    action: 'the rules before are in force; look at what Suricata says',
  });
}
