/**
 * freshclam, run by the core: on this node's own database, against this node's own mirror; or as
 * the provider's way to the publisher, which lets only freshclam and cvdupdate in.
 *
 * Invariant: at most so many runs a day as the settings allow, also over restarts, because the
 * publisher locks out who checks more than 50 times.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, type ProgramService } from '@peerage/sdk';
import { type Disk, realDisk, replaceFile } from '@peerage/update-agent';
import { FRESHCLAM_TIMEOUT_MS } from './limits.js';

const DAY_MS = 24 * 3_600_000;

export interface FreshclamOptions {
  readonly programs: Pick<ProgramService, 'run'>;
  /** Where its configuration and the times of its runs are kept. */
  readonly directory: string;
  /** Tells this one from another: the name of its files. */
  readonly name: string;
  readonly databases: readonly string[];
  readonly databaseDirectory: string;
  readonly databaseOwner: string;
  /** The mirror to ask; the publisher's if absent. */
  readonly mirror?: string;
  readonly runsPerDay: number;
  readonly now: () => number;
}

/** Databases that freshclam looks after unless it is told not to. */
const STANDARD = ['main', 'daily', 'bytecode'];

export class Freshclam {
  private readonly options: FreshclamOptions;
  private readonly disk: Disk = realDisk;

  constructor(options: FreshclamOptions) {
    this.options = options;
  }

  /** @throws CodedError `E_FRESHCLAM_BUDGET`, `E_FRESHCLAM_FAILED`, `E_PROGRAM_*` */
  async run(): Promise<void> {
    const { programs } = this.options;
    await this.spend();
    const config = await this.configure();
    const ended = await programs.run('freshclam', { config }, { timeoutMs: FRESHCLAM_TIMEOUT_MS });
    if (ended.exitCode === 0) return;
    const said = `${ended.stdout}\n${ended.stderr}`
      .split('\n')
      .filter((line) => /ERROR|Can't|Malformed|signature/i.test(line))
      .slice(-4)
      .join('; ');
    throw new CodedError('E_FRESHCLAM_FAILED', `freshclam ended with ${ended.exitCode}: ${said}`, {
      expected: 'exit code 0',
      action: `run it by hand: freshclam --config-file=${config}`,
    });
  }

  private async spend(): Promise<void> {
    const { runsPerDay, now } = this.options;
    const path = join(this.options.directory, `${this.options.name}-runs.json`);
    const runs = parseTimes(await this.disk.read(path)).filter((at) => at > now() - DAY_MS);
    if (runs.length >= runsPerDay) {
      throw new CodedError('E_FRESHCLAM_BUDGET', `freshclam ran ${runs.length} times in 24 h`, {
        expected: `at most ${runsPerDay} runs`,
        action: 'it runs again when the first of them is a day old',
      });
    }
    await replaceFile(this.disk, path, Buffer.from(JSON.stringify([...runs, now()])));
  }

  private async configure(): Promise<string> {
    const { directory, name, databases, databaseDirectory, databaseOwner, mirror } = this.options;
    await mkdir(databaseDirectory, { recursive: true });
    const lines = [
      `DatabaseDirectory ${databaseDirectory}`,
      `DatabaseOwner ${databaseOwner}`,
      `DatabaseMirror ${mirror ?? 'https://database.clamav.net'}`,
      'MaxAttempts 2',
      // The publisher's own names say nothing about a mirror. Whole files are what peers can check.
      ...(mirror === undefined ? ['ScriptedUpdates no'] : ['DNSDatabaseInfo no']),
      ...STANDARD.filter((one) => !databases.includes(one)).map((one) => `ExcludeDatabase ${one}`),
      ...databases.filter((one) => !STANDARD.includes(one)).map((one) => `ExtraDatabase ${one}`),
    ];
    const path = join(directory, `${name}.conf`);
    await writeFile(path, `${lines.join('\n')}\n`);
    return path;
  }
}

function parseTimes(bytes: Buffer | undefined): number[] {
  try {
    const parsed: unknown = JSON.parse(bytes?.toString('utf8') ?? '[]');
    return Array.isArray(parsed) ? parsed.filter((one) => typeof one === 'number') : [];
  } catch {
    return [];
  }
}
