/**
 * Versions on the disk: staged, kept, in force.
 *
 *   .staging/<component>/<version>/  ──rename──►  <component>/<version>/  ──state file──►  in force
 *
 * Invariants: a directory outside `.staging` is complete and was verified; the state file of a
 * component is replaced as a whole, and names only directories that are there; so whatever step is
 * cut short, the version in force before it is in force after it.
 */
import { join } from 'node:path';
import { type Disk, realDisk, replaceFile } from './disk.js';
import { MAX_KEPT_VERSIONS } from './limits.js';
import { demandName, isName } from './version.js';

/** What is written down about a component. */
export interface ComponentState {
  /** In force. */
  readonly version?: string;
  /** In force before it, and kept. */
  readonly previous?: string;
  /** The newest that was ever verified: nothing older is taken, except by pin or recall. */
  readonly newest?: string;
  /** The version that was offered last, and when it was first heard of. */
  readonly heard?: { readonly version: string; readonly atMs: number };
  /** When the version in force was put in force, and when its publisher made it. */
  readonly sinceMs?: number;
  readonly builtAtMs?: number;
}

const STAGING = '.staging';
const STATE = '.state';

export class Shelf {
  private readonly directory: string;
  private readonly disk: Disk;
  private readonly states = new Map<string, ComponentState>();

  private constructor(directory: string, disk: Disk) {
    this.directory = directory;
    this.disk = disk;
  }

  /** Reads what is there, and removes what a sudden end has left half done. */
  static async open(directory: string, disk: Disk = realDisk): Promise<Shelf> {
    const shelf = new Shelf(directory, disk);
    for (const name of ['', STAGING, STATE]) await disk.makeDirectory(join(directory, name));
    for (const file of await disk.list(join(directory, STATE))) await shelf.readState(file);
    for (const component of await disk.list(join(directory, STAGING))) {
      await shelf.sweepStaging(component);
    }
    return shelf;
  }

  state(component: string): ComponentState {
    return this.states.get(component) ?? {};
  }

  components(): string[] {
    return [...this.states.keys()].sort();
  }

  /** The versions of a component that are here, complete and verified. */
  async kept(component: string): Promise<string[]> {
    return (await this.disk.list(this.path(component))).filter(isName);
  }

  /** The directory of a component, of one of its versions, or of a file in it. */
  path(component: string, version?: string, file?: string): string {
    demandName('component', component);
    const parts = [version, file].filter((part) => part !== undefined);
    for (const part of parts) demandName('part of a path', part);
    return join(this.directory, component, ...parts);
  }

  /** An empty or partly filled directory for a version that is not verified yet. */
  async stage(component: string, version: string): Promise<string> {
    demandName('component', component);
    demandName('version', version);
    const staging = join(this.directory, STAGING, component);
    for (const other of await this.disk.list(staging)) {
      if (other !== version) await this.disk.remove(join(staging, other));
    }
    await this.disk.makeDirectory(join(staging, version));
    return join(staging, version);
  }

  /** Drops what was staged: it turned out to be bad. */
  async discard(component: string): Promise<void> {
    await this.disk.remove(join(this.directory, STAGING, demandName('component', component)));
  }

  /** Keeps a staged version that was verified; its directory is complete from now on. */
  async keep(component: string, version: string): Promise<string> {
    const kept = this.path(component, version);
    if ((await this.kept(component)).includes(version)) {
      await this.discard(component);
      return kept;
    }
    await this.disk.makeDirectory(this.path(component));
    await this.disk.rename(join(this.directory, STAGING, component, version), kept);
    return kept;
  }

  /** Writes down what has changed about a component. */
  async note(component: string, change: Partial<ComponentState>): Promise<void> {
    const state = { ...this.state(component), ...change };
    const path = join(this.directory, STATE, `${demandName('component', component)}.json`);
    await replaceFile(this.disk, path, Buffer.from(`${JSON.stringify(state)}\n`));
    this.states.set(component, state);
  }

  /** Puts a kept version in force, and drops versions that nobody goes back to. */
  async adopt(
    component: string,
    version: string,
    change: Pick<ComponentState, 'sinceMs' | 'builtAtMs' | 'newest'>,
  ): Promise<void> {
    const before = this.state(component);
    const previous = before.version === version ? before.previous : before.version;
    const named = previous === undefined ? {} : { previous };
    await this.note(component, { ...change, version, ...named });
    await this.prune(component);
  }

  /** Removes versions beyond the kept number, never the one in force nor the one before. */
  private async prune(component: string): Promise<void> {
    const { version, previous } = this.state(component);
    const others = (await this.kept(component)).filter(
      (one) => one !== version && one !== previous,
    );
    for (const one of others.slice(0, Math.max(0, others.length - (MAX_KEPT_VERSIONS - 2)))) {
      await this.disk.remove(this.path(component, one));
    }
  }

  private async readState(file: string): Promise<void> {
    const component = file.replace(/\.json$/, '');
    if (!file.endsWith('.json') || !isName(component)) {
      return this.disk.remove(join(this.directory, STATE, file));
    }
    const state = parse(await this.disk.read(join(this.directory, STATE, file)));
    const kept = await this.kept(component);
    const { version, previous, ...rest } = state;
    this.states.set(component, {
      ...rest,
      ...(version !== undefined && kept.includes(version) ? { version } : {}),
      ...(previous !== undefined && kept.includes(previous) ? { previous } : {}),
    });
  }

  /** Complete files stay, so that a check continues where the last one ended. */
  private async sweepStaging(component: string): Promise<void> {
    const staging = join(this.directory, STAGING, component);
    for (const version of await this.disk.list(staging)) {
      for (const file of await this.disk.list(join(staging, version))) {
        if (file.endsWith('.part')) await this.disk.remove(join(staging, version, file));
      }
    }
  }
}

function parse(bytes: Buffer | undefined): ComponentState {
  try {
    const parsed: unknown = JSON.parse(bytes?.toString('utf8') ?? '{}');
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    // It is replaced as a whole, so this is a damaged disk: begin anew, keep what is kept.
    return {};
  }
}
