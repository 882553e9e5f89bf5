/**
 * The programs of the firewall's manifest, run as the core runs them, inside a network namespace
 * of the test's own, or replaced by a word of the test.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  CodedError,
  type PluginManifest,
  type ProgramResult,
  type ProgramService,
} from '@peerage/sdk';

const PACKAGE = new URL(import.meta.resolve('@peerage/firewall/package.json'));

export function manifest(): PluginManifest {
  return (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { peerage: PluginManifest }).peerage;
}

export type Programs = Pick<ProgramService, 'run'>;
type Instead = (values: Readonly<Record<string, string>>) => ProgramResult | Promise<ProgramResult>;

export class ManifestPrograms implements Programs {
  /** What was run, in order. */
  readonly ran: string[] = [];
  /** By name: what answers in the place of the program. */
  readonly instead = new Map<string, Instead>();
  readonly prefix: readonly string[];

  /** @param prefix what stands before each command, for example `ip netns exec NAME` */
  constructor(prefix: readonly string[] = []) {
    this.prefix = prefix;
  }

  async run(name: string, values: Readonly<Record<string, string>>): Promise<ProgramResult> {
    this.ran.push(name);
    const instead = this.instead.get(name);
    if (instead !== undefined) return instead(values);
    const wish = manifest().permissions?.programs?.find((program) => program.name === name);
    if (wish === undefined) throw new CodedError('E_PROGRAM_NOT_GRANTED', name);
    const filled = wish.arguments.map((template) =>
      template.replace(/^\{(?:file:)?(\w+)\}$/, (_, key: string) => values[key] ?? ''),
    );
    const [command = '', ...args] = [...this.prefix, wish.command, ...filled];
    return execute(command, args);
  }
}

export function execute(command: string, args: readonly string[]): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ exitCode: code, stdout, stderr });
      else reject(new CodedError('E_PROGRAM_MISSING', `${command} cannot be run`));
    });
  });
}
