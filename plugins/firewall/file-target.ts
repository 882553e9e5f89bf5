/**
 * The set as a plain file, a prefix in each line, for any other program; and that program told.
 *
 * The first line names the version, the next ones say whose data it is. The file is replaced as a
 * whole; if the program that is told fails, the file before comes back and it is told again.
 */
import { readFile, rm } from 'node:fs/promises';
import { CodedError, type ProgramService } from '@peerage/sdk';
import type { Blocks } from './compile.js';
import { replaceFile } from './disk.js';
import { PROGRAM_TIMEOUT_MS } from './limits.js';
import { formatPrefix } from './prefix.js';
import type { Target } from './target.js';

export interface FileTargetOptions {
  readonly path: string;
  /** Whether the program `list-changed` is run with the file's path. */
  readonly command: boolean;
  readonly programs: Pick<ProgramService, 'run'>;
  /** Whose data it is, a line each. */
  readonly attribution: () => readonly string[];
}

export class FileTarget implements Target {
  readonly name = 'file';
  private readonly options: FileTargetOptions;

  constructor(options: FileTargetOptions) {
    this.options = options;
  }

  async check(): Promise<void> {
    // Any set can be written to a file.
  }

  async holds(): Promise<string | undefined> {
    const text = await readFile(this.options.path, 'utf8').catch(() => '');
    return /^# version ([0-9a-f]{16})\n/.exec(text)?.[1];
  }

  async put(to: Blocks): Promise<void> {
    const { path } = this.options;
    const before = await readFile(path).catch(() => undefined);
    await this.write(this.textOf(to));
    try {
      await this.tell();
    } catch (error) {
      if (before === undefined) await rm(path, { force: true });
      else await this.write(before);
      throw error;
    }
  }

  private textOf(blocks: Blocks): string {
    const attribution = this.options.attribution().map((line) => `# ${line}\n`);
    const lines = blocks.prefixes.map((prefix) => `${formatPrefix(prefix)}\n`);
    return `# version ${blocks.version}\n${attribution.join('')}${lines.join('')}`;
  }

  private async write(content: string | Uint8Array): Promise<void> {
    try {
      await replaceFile(this.options.path, content);
    } catch (cause) {
      const action = 'grant the path in "writePaths", and make room on the disk';
      throw unwritable(`${this.options.path} cannot be replaced`, action, cause);
    }
  }

  private async tell(): Promise<void> {
    const { path, command, programs } = this.options;
    if (!command) return;
    const values = { list: path };
    const done = await programs.run('list-changed', values, { timeoutMs: PROGRAM_TIMEOUT_MS });
    if (done.exitCode === 0) return;
    const said = done.stderr.trim().slice(0, 200);
    const action = 'mend that program; the file before is back';
    throw unwritable(`peerage-list-changed ended with ${done.exitCode}: ${said}`, action);
  }
}

function unwritable(what: string, action: string, cause?: unknown): CodedError {
  return new CodedError('E_LIST_UNWRITABLE', what, {
    expected: 'a list that is replaced and taken as a whole',
    action,
    ...(cause === undefined ? {} : { cause }),
  });
}
