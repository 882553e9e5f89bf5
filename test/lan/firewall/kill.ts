/**
 * Kill -9 at every step of a change: whatever step is the last one, the kernel blocks a whole list,
 * and so it does after the next start, without asking anybody.
 *
 * A worker (worker.ts) on a real host kills itself at its N-th step, for N from 1 until it is done
 * before it dies. "A whole list" right after the kill: everything that is on both lists is blocked.
 * After the start: exactly the old list or exactly the new one; also when the host was rebooted in
 * between, that is when the kernel has forgotten everything.
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { blockedIn } from '../../plugins/firewall/rig.js';
import { succeeded } from '../command.js';
import type { Place } from '../place.js';

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));
const KILLED = 128 + 9;

export interface KillCount {
  readonly change: string;
  /** Steps at which the process died. */
  readonly kills: number;
  /** Kills after which the kernel did not block all that is on both lists. */
  readonly torn: number;
  /** Starts after which neither list was in force as a whole. */
  readonly lost: number;
}

export interface KillOptions {
  readonly change: string;
  /** Addresses, a line each. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Every which step is tried: 1 for all. */
  readonly every: number;
}

export async function killAtEveryStep(host: Place, options: KillOptions): Promise<KillCount> {
  const ground = new Ground(host, options);
  await ground.prepare();
  let [kills, torn, lost] = [0, 0, 0];
  for (let at = 1; ; at += options.every) {
    await ground.restore();
    if (!(await ground.dieAt(at))) return { change: options.change, kills, torn, lost };
    kills += 1;
    if (!(await ground.blocksWhatBothHave())) torn += 1;
    if (at % 2 === 0) await ground.reboot();
    if (!(await ground.isWholeAfterStart())) lost += 1;
  }
}

class Ground {
  private readonly host: Place;
  private readonly directory: string;
  private readonly old: readonly string[];
  private readonly fresh: readonly string[];

  constructor(host: Place, { before, after, change }: KillOptions) {
    this.host = host;
    this.directory = join(host.directory, `kill-${change}`);
    this.old = before;
    this.fresh = after;
  }

  /** The old list in force, kept to begin each round with. */
  async prepare(): Promise<void> {
    mkdirSync(this.directory, { recursive: true });
    writeFileSync(this.path('old'), `${this.old.join('\n')}\n`);
    writeFileSync(this.path('new'), `${this.fresh.join('\n')}\n`);
    await this.reboot();
    const first = ['--directory', this.path('kept'), 'start', `put=${this.path('old')}`];
    succeeded('the first list', await this.worker(first));
    const { stdout } = await this.nft('list', 'ruleset');
    writeFileSync(this.path('ruleset'), `flush ruleset\n${stdout}`);
  }

  async restore(): Promise<void> {
    rmSync(this.path('data'), { recursive: true, force: true });
    cpSync(this.path('kept'), this.path('data'), { recursive: true });
    succeeded('the old ruleset', await this.nft('-f', this.path('ruleset')));
  }

  /** Whether the change died at that step; not if it was done before. */
  async dieAt(step: number): Promise<boolean> {
    const args = ['--directory', this.path('data'), '--die-at', String(step)];
    const { code } = await this.worker([...args, 'start', `put=${this.path('new')}`]);
    return code === KILLED;
  }

  async blocksWhatBothHave(): Promise<boolean> {
    const blocked = new Set(await this.blocked());
    const fresh = new Set(this.fresh);
    return this.old.every((one) => !fresh.has(one) || blocked.has(`${one}/32`));
  }

  async isWholeAfterStart(): Promise<boolean> {
    const args = ['--directory', this.path('data'), 'start'];
    succeeded('the start after a kill', await this.worker(args));
    const blocked = (await this.blocked()).join();
    const whole = (list: readonly string[]) =>
      list
        .map((one) => `${one}/32`)
        .sort()
        .join();
    return blocked === whole(this.old) || blocked === whole(this.fresh);
  }

  async reboot(): Promise<void> {
    succeeded('an empty kernel', await this.nft('flush', 'ruleset'));
  }

  private async blocked(): Promise<string[]> {
    const listed = await this.nft('list', 'table', 'inet', 'peerage_firewall');
    return blockedIn(listed.stdout);
  }

  private worker(args: readonly string[]) {
    return this.host.run(process.execPath, [WORKER, ...args]);
  }

  private nft(...args: readonly string[]) {
    return this.host.run('nft', args);
  }

  private path(name: string): string {
    return join(this.directory, name);
  }
}
