/**
 * The nftables target: carries the transactions of nftables.ts out, and asks the kernel what it has.
 *
 * Each transaction is a file in the plugin's own directory, loaded by nft as a whole or not at all.
 * nft reports an error by file and line; as each element has a line, a refused one is known.
 */
import { join } from 'node:path';
import { CodedError, type ProgramResult, type ProgramService } from '@peerage/sdk';
import type { Blocks } from './compile.js';
import { replaceFile } from './disk.js';
import { MAX_ALTERED_SHARE, PROGRAM_TIMEOUT_MS } from './limits.js';
import { difference } from './merge.js';
import {
  alteration,
  type Direction,
  elementAt,
  type Held,
  haveSameSets,
  heldIn,
  replacement,
  wholeTable,
} from './nftables.js';
import type { StepListener, Target } from './target.js';

/** nft refused a transaction; nothing of that transaction is in force. */
export class NftRefusal extends CodedError {
  /** The address that it refused, where it named one. */
  readonly element: string | undefined;

  constructor(said: string, element: string | undefined) {
    super('E_NFT_REFUSED', `nft refused ${element ?? 'a transaction'}: ${said}`, {
      expected: 'a set that nft takes as a whole',
      action: 'what was in force stays in force; look at what nft says',
    });
    this.element = element;
  }
}

export interface NftablesOptions {
  readonly programs: Pick<ProgramService, 'run'>;
  /** Where transactions are written for nft to read. */
  readonly directory: string;
  readonly directions: readonly Direction[];
  readonly onStep?: StepListener | undefined;
}

export class NftablesTarget implements Target {
  readonly name = 'nftables';
  private readonly options: NftablesOptions;
  /** The last difference, worked out for the check and put afterwards. */
  private planned: { between: string; texts: readonly string[] | undefined } = {
    between: '',
    texts: undefined,
  };

  constructor(options: NftablesOptions) {
    this.options = options;
  }

  async holds(): Promise<string | undefined> {
    return (await this.held())?.version;
  }

  async check(to: Blocks, from: Blocks | undefined): Promise<void> {
    const held = await this.held();
    const small = this.alterationOf(to, from, held);
    const texts = small ?? [wholeTable(to, this.options.directions)];
    // A difference's second half refers to what its first half makes, so it is checked as one.
    await this.nft('nft-check', texts.join(''));
  }

  async put(to: Blocks, from: Blocks | undefined): Promise<void> {
    const held = await this.held();
    if (held?.version === to.version) return;
    const texts =
      this.alterationOf(to, from, held) ??
      (held !== undefined && held.version === from?.version
        ? replacement(from, held, to)
        : [wholeTable(to, this.options.directions)]);
    for (const [index, text] of texts.entries()) {
      await this.nft('nft-load', text);
      this.options.onStep?.(`loaded ${index + 1} of ${texts.length}`);
    }
  }

  /** Packets dropped since the table was made; `undefined` if there is no table. */
  async dropped(): Promise<number | undefined> {
    const { exitCode, stdout } = await this.run('nft-counters', {});
    const match = exitCode === 0 ? /packets (\d+)/.exec(stdout) : null;
    return match === null ? undefined : Number(match[1]);
  }

  private alterationOf(
    to: Blocks,
    from: Blocks | undefined,
    held: Held | undefined,
  ): readonly string[] | undefined {
    if (held === undefined || held.version !== from?.version) return undefined;
    const between = `${held.side} ${from.version} ${to.version}`;
    if (this.planned.between !== between) {
      this.planned = { between, texts: this.planAlteration(to, from, held) };
    }
    return this.planned.texts;
  }

  private planAlteration(to: Blocks, from: Blocks, held: Held): readonly string[] | undefined {
    if (!haveSameSets(from, to)) return undefined;
    const change = difference(from.prefixes, to.prefixes);
    const changed = change.added.length + change.removed.length;
    if (changed > from.prefixes.length * MAX_ALTERED_SHARE) return undefined;
    return alteration(change, held, to);
  }

  private async held(): Promise<Held | undefined> {
    const { exitCode, stdout, stderr } = await this.run('nft-chains', {});
    if (exitCode !== 0) throw new NftRefusal(firstLine(stderr), undefined);
    return heldIn(stdout);
  }

  private async nft(program: 'nft-check' | 'nft-load', text: string): Promise<void> {
    const rules = join(this.options.directory, 'transaction.nft');
    await replaceFile(rules, text);
    const { exitCode, stderr } = await this.run(program, { rules });
    if (exitCode === 0) return;
    const line = /transaction\.nft:(\d+):/.exec(stderr)?.[1];
    const element = line === undefined ? undefined : elementAt(text, Number(line));
    throw new NftRefusal(firstLine(stderr), element);
  }

  private run(name: string, values: Record<string, string>): Promise<ProgramResult> {
    return this.options.programs.run(name, values, { timeoutMs: PROGRAM_TIMEOUT_MS });
  }
}

/** What nft says is wrong, without the path of the file and without the lines that it quotes. */
function firstLine(stderr: string): string {
  const [line = ''] = stderr.split('\n');
  return line.replace(/^\S*:\d+:[\d-]*:?\s*/, '').slice(0, 200) || 'it gave no reason';
}
