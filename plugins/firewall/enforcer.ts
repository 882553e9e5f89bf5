/**
 * The enforcer: one set of blocks in force at a time, changed step by step, each of which can be
 * the last thing that this process does.
 *
 *   guards ─► compile ─► check ─► baseline ─► put ─► probe ─► confirm
 *                          │                   └──────┴── refused ─► put what was in force
 *                          └── refused: nothing was touched
 *
 * Invariants: one change at a time; what is written down as last good was probed; a set that was
 * put but not confirmed does not outlive the process, for a start puts the last good one.
 */
import { CodedError, describeError, errorCode, type Log } from '@peerage/sdk';
import { type Blocks, compile, type SourceList } from './compile.js';
import type { Guard } from './guards.js';
import { type Difference, difference, merged } from './merge.js';
import { NftRefusal } from './nftables-target.js';
import { contains, formatPrefix, parsePrefix } from './prefix.js';
import type { Probe } from './probe.js';
import type { StepListener, Target } from './target.js';

export interface EnforcerPorts {
  readonly targets: readonly Target[];
  readonly guards: () => Promise<readonly Guard[]>;
  readonly probe: Probe;
  /** Writes the last good set down, for whoever loads rules before this process runs. */
  readonly keep: (blocks: Blocks) => Promise<void>;
  readonly log: Log;
  readonly onStep?: StepListener | undefined;
}

/** What a change would do. */
export interface Preview {
  readonly blocks: Blocks;
  readonly change: Difference;
}

export class Enforcer {
  private readonly ports: EnforcerPorts;
  private lists: ReadonlyMap<string, SourceList> = new Map();
  private blocks: Blocks | undefined;
  /** What was guarded when `blocks` were made. */
  private fences = '';
  private turn: Promise<unknown> = Promise.resolve();
  private trouble: string | undefined;

  constructor(ports: EnforcerPorts) {
    this.ports = ports;
  }

  /** What is in force; `undefined` until a start or a change has succeeded. */
  get inForce(): Blocks | undefined {
    return this.blocks;
  }

  /** Why the last change, start or look at the kernel failed; `undefined` if it did not. */
  get lastTrouble(): string | undefined {
    return this.trouble;
  }

  list(source: string): SourceList | undefined {
    return this.lists.get(source);
  }

  /** Puts the last good lists in force, without asking the network anything. */
  start(lists: readonly SourceList[]): Promise<void> {
    return this.inTurn(async () => {
      this.lists = new Map(lists.map((list) => [list.source, list]));
      const guards = await this.ports.guards();
      const blocks = compile(lists, guards);
      for (const target of this.ports.targets) {
        if ((await target.holds()) !== blocks.version) await target.put(blocks, undefined);
        this.ports.onStep?.(`started ${target.name}`);
      }
      this.blocks = blocks;
      this.fences = fencesOf(guards);
      await this.ports.keep(blocks);
    });
  }

  /** Puts the list of one source in force; `undefined` takes the source out. */
  put(source: string, list: SourceList | undefined): Promise<void> {
    return this.inTurn(() => this.change(this.withList(source, list)));
  }

  /** Makes the set anew if addresses to be guarded have come or gone, or the kernel lost it. */
  refresh(): Promise<void> {
    return this.inTurn(async () => {
      const { blocks } = this;
      const fences = fencesOf(await this.ports.guards());
      const isSame = blocks !== undefined && fences === this.fences && (await this.isHeld(blocks));
      if (!isSame) await this.change(this.lists);
    });
  }

  /** What `put` would do. */
  async preview(source: string, list: SourceList | undefined): Promise<Preview> {
    const lists = this.withList(source, list);
    const blocks = compile([...lists.values()], await this.ports.guards());
    return { blocks, change: difference(this.blocks?.prefixes ?? [], blocks.prefixes) };
  }

  private withList(source: string, list: SourceList | undefined): Map<string, SourceList> {
    const lists = new Map(this.lists);
    if (list === undefined) lists.delete(source);
    else lists.set(source, list);
    return lists;
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.then(
      () => {
        this.trouble = undefined;
      },
      (error: unknown) => {
        this.trouble = `${errorCode(error)}: ${describeError(error)}`;
      },
    );
    return done;
  }

  private async change(lists: ReadonlyMap<string, SourceList>): Promise<void> {
    const { targets, onStep } = this.ports;
    const guards = await this.ports.guards();
    const before = this.blocks ?? compile([], guards);
    const blocks = compile([...lists.values()], guards);
    onStep?.('compiled');
    if (await this.isHeld(blocks)) {
      this.lists = lists;
      this.blocks = blocks;
      this.fences = fencesOf(guards);
      return;
    }
    try {
      for (const target of targets) await target.check(blocks, this.blocks);
      onStep?.('checked');
      await this.replace(before, blocks);
    } catch (error) {
      throw this.explained(error, lists);
    }
    this.lists = lists;
    this.blocks = blocks;
    this.fences = fencesOf(guards);
    await this.ports.keep(blocks);
    onStep?.('confirmed');
    this.told(before, blocks);
  }

  private async isHeld(blocks: Blocks): Promise<boolean> {
    if (this.blocks?.version !== blocks.version) return false;
    for (const target of this.ports.targets) {
      if ((await target.holds()) !== blocks.version) return false;
    }
    return true;
  }

  private async replace(before: Blocks, blocks: Blocks): Promise<void> {
    const { targets, probe, onStep } = this.ports;
    const baseline = await probe.baseline();
    try {
      for (const target of targets) await target.put(blocks, this.blocks);
      onStep?.('put');
      await probe.confirm(baseline);
      onStep?.('probed');
    } catch (error) {
      await this.goBack(before);
      throw error;
    }
  }

  private async goBack(before: Blocks): Promise<void> {
    const { targets, log } = this.ports;
    for (const target of targets) {
      try {
        await target.put(before, undefined);
      } catch (error) {
        log.error('not-gone-back', { target: target.name, error: describeError(error) });
      }
    }
    log.warn('gone-back', { version: before.version });
  }

  /** An element that nft refused, with the lines of the lists that it stands on. */
  private explained(error: unknown, lists: ReadonlyMap<string, SourceList>): unknown {
    if (!(error instanceof NftRefusal) || error.element === undefined) return error;
    const element = parsePrefix(error.element);
    for (const { source, entries } of lists.values()) {
      const entry = entries.find((one) => contains(one, element));
      if (entry === undefined) continue;
      const message = `${source}, line ${entry.line}: ${error.message}`;
      return new CodedError(error.code, message, {
        expected: 'a set that nft takes as a whole',
        action: 'what was in force stays in force; look at what nft says',
        cause: error,
      });
    }
    return error;
  }

  private told(before: Blocks, blocks: Blocks): void {
    const { added, removed } = difference(before.prefixes, blocks.prefixes);
    this.ports.log.info('in-force', {
      version: blocks.version,
      entries: blocks.prefixes.length,
      added: added.length,
      removed: removed.length,
      keptOut: blocks.keptOutCount,
    });
    for (const { source, line, entry, guard } of blocks.keptOut.slice(0, 10)) {
      this.ports.log.warn('entry-kept-out', { source, line, entry, guard });
    }
  }
}

function fencesOf(guards: readonly Guard[]): string {
  return merged(guards).map(formatPrefix).join();
}
