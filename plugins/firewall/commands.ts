/**
 * `peerage firewall status | test | apply | rollback | allow`: what is in force, what would change
 * and why, before it changes.
 */
import { readFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import {
  CodedError,
  type CommandResult,
  type CommandService,
  type Disposable,
  type ProgramService,
} from '@peerage/sdk';
import type { Enforcer, Preview } from './enforcer.js';
import { EntryFault, formatPrefix, type Prefix } from './prefix.js';
import { reasonOf, type Source } from './sources.js';
import { statusOf, statusText } from './status.js';
import type { Wishes } from './wishes.js';

/** Prefixes of a change that are shown, of those added and of those removed. */
const SHOWN = 20;
/** The core cuts a program's output at 1 MiB; a file that reaches this is not judged by halves. */
const MAX_READ_BYTES = 1_000_000;

export interface CommandPorts {
  readonly enforcer: Enforcer;
  readonly sources: readonly Source[];
  readonly wishes: Wishes;
  readonly programs: Pick<ProgramService, 'run'>;
  readonly provider: () => Promise<string | undefined>;
  readonly dropped: () => Promise<number | undefined>;
  readonly now: () => number;
}

export class Commands {
  private readonly ports: CommandPorts;

  constructor(ports: CommandPorts) {
    this.ports = ports;
  }

  async register(service: CommandService, subscriptions: Disposable[]): Promise<void> {
    const handlers = {
      status: () => this.status(),
      test: (args: readonly string[]) => this.test(args),
      apply: (args: readonly string[]) => this.apply(args),
      rollback: (args: readonly string[]) => this.rollback(args),
      allow: (args: readonly string[]) => this.allow(args),
    };
    for (const [name, handler] of Object.entries(handlers)) {
      subscriptions.push(await service.onCommand(name, handler));
    }
  }

  async status(): Promise<CommandResult> {
    const json = await statusOf(this.ports);
    return { text: statusText(json), json };
  }

  /** Judges a file as if it were the list of a source. */
  async test([path, name]: readonly string[]): Promise<CommandResult> {
    if (path === undefined) throw usage('test FILE [SOURCE]');
    const { settings, list } = this.sourceNamed(name);
    if (list === undefined) throw usage('test FILE [SOURCE], a source of addresses');
    const candidate = await list.tried(await this.read(path));
    return this.shown(settings.name, await this.ports.enforcer.preview(settings.name, candidate));
  }

  /** Asks all sources now; with --dry-run only says what would change. */
  async apply(args: readonly string[]): Promise<CommandResult> {
    if (args.includes('--dry-run')) return this.dryRun();
    await this.ports.wishes.unpinAll();
    const lines: string[] = [];
    let failed = 0;
    for (const { agent, settings } of this.ports.sources) {
      const report = await agent.check('command');
      const reason = reasonOf(report);
      if (reason !== undefined) failed += 1;
      lines.push(`${settings.name}: ${reason ?? report.outcome}`);
    }
    await this.ports.enforcer.refresh();
    const json = await statusOf(this.ports);
    return { text: lines.join('\n'), json, exitCode: failed === 0 ? 0 : 1 };
  }

  private async dryRun(): Promise<CommandResult> {
    const results: CommandResult[] = [];
    for (const { settings, list } of this.ports.sources) {
      if (list === undefined) continue;
      const candidate = await list.candidate();
      const preview = await this.ports.enforcer.preview(settings.name, candidate);
      results.push(this.shown(settings.name, preview));
    }
    return {
      text: results.map(({ text }) => text).join('\n'),
      json: results.map((one) => one.json),
    };
  }

  /** Back to the version before, of one source or of all, until the next apply. */
  async rollback([name]: readonly string[]): Promise<CommandResult> {
    const sources = name === undefined ? this.ports.sources : [this.sourceNamed(name)];
    const lines: string[] = [];
    for (const { settings, shelf, agent } of sources) {
      const { previous, version } = shelf.state(settings.name);
      if (previous === undefined) {
        lines.push(`${settings.name}: there is no version before ${version ?? 'the first'}`);
        continue;
      }
      await this.ports.wishes.pin(settings.name, previous);
      const reason = reasonOf(await agent.check('rollback'));
      lines.push(`${settings.name}: ${reason ?? `${previous}, until "peerage firewall apply"`}`);
    }
    return { text: lines.join('\n'), json: await statusOf(this.ports) };
  }

  /** Addresses that no list may block, from now on. */
  async allow(args: readonly string[]): Promise<CommandResult> {
    const { wishes, enforcer } = this.ports;
    const addresses = args.filter((argument) => argument !== '--remove');
    try {
      await wishes.change(addresses, args.includes('--remove'));
    } catch (error) {
      if (!(error instanceof EntryFault)) throw error;
      throw usage('allow [ADDRESS|PREFIX …] [--remove]', `one of them is ${error.message}`);
    }
    if (addresses.length > 0) await enforcer.refresh();
    const text =
      wishes.allowed.length === 0 ? 'nothing beyond the settings' : wishes.allowed.join('\n');
    return { text, json: { allowed: wishes.allowed } };
  }

  private sourceNamed(name: string | undefined): Source {
    const { sources } = this.ports;
    const found =
      name === undefined ? sources[0] : sources.find((one) => one.settings.name === name);
    if (found !== undefined) return found;
    const names = sources.map(({ settings }) => settings.name).join(', ');
    throw usage(`a source of the settings: ${names === '' ? 'there is none' : names}`);
  }

  /** A file of the plugin's own directory, or one that the core prints for it. */
  private async read(path: string): Promise<Uint8Array> {
    if (!isAbsolute(path)) throw usage('test FILE, with the whole path of the file');
    try {
      return await readFile(path);
    } catch {
      // Beyond the plugin's own directory its process may read nothing.
    }
    const { exitCode, stdout, stderr } = await this.ports.programs.run('read-list', { path });
    const bytes = Buffer.from(stdout);
    if (exitCode === 0 && bytes.length < MAX_READ_BYTES) return bytes;
    const why = exitCode === 0 ? `it has ${MAX_READ_BYTES} bytes or more` : stderr.slice(0, 200);
    throw new CodedError('E_LIST_INVALID', `${path} cannot be judged: ${why}`, {
      expected: 'a file below 1 MB, or one in the directory of the plugin',
      action: 'copy a larger file into the data directory of the plugin',
    });
  }

  private shown(source: string, { blocks, change }: Preview): CommandResult {
    const { added, removed } = change;
    const some = (sign: string, prefixes: readonly Prefix[]) => [
      ...prefixes.slice(0, SHOWN).map((prefix) => `  ${sign} ${formatPrefix(prefix)}`),
      ...(prefixes.length > SHOWN ? [`  ${sign} … ${prefixes.length - SHOWN} more`] : []),
    ];
    const kept = blocks.keptOut.map(
      (one) => `  kept out: ${one.entry} (${one.source}, line ${one.line}): ${one.guard}`,
    );
    const head = `${source}: +${added.length} -${removed.length}, then ${blocks.prefixes.length} in all`;
    return {
      text: [head, ...some('+', added), ...some('-', removed), ...kept].join('\n'),
      json: {
        source,
        version: blocks.version,
        entries: blocks.prefixes.length,
        added: added.map(formatPrefix),
        removed: removed.map(formatPrefix),
        keptOut: blocks.keptOut,
        keptOutCount: blocks.keptOutCount,
      },
    };
  }
}

function usage(expected: string, what = 'the command was used wrongly'): CodedError {
  return new CodedError('E_USAGE', what, {
    expected: `peerage firewall ${expected}`,
  });
}
