/** An enforcer on a real nft in a namespace of its own, with guards and probes by the test's word. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceList } from '@peerage/firewall/compile.js';
import { Enforcer } from '@peerage/firewall/enforcer.js';
import { guardsFrom } from '@peerage/firewall/guards.js';
import { parseList } from '@peerage/firewall/lists/parse.js';
import type { Direction } from '@peerage/firewall/nftables.js';
import { NftablesTarget } from '@peerage/firewall/nftables-target.js';
import { Probe } from '@peerage/firewall/probe.js';
import type { Target } from '@peerage/firewall/target.js';
import type { Log } from '@peerage/sdk';
import { missingForLan, Namespaces } from '../../lan/namespaces.js';
import { missingTools } from '../../lan/tools.js';
import { uniqueName } from '../../lan/workspace.js';
import { execute, ManifestPrograms } from './programs.js';
import { NO_FACTS } from './settings.js';

const DIRECTIONS: readonly Direction[] = ['input', 'forward', 'output'];

/** Why nft cannot be tried here, `undefined` if it can. */
export function missingForNft(): string | undefined {
  return missingForLan() ?? missingTools(['nft']);
}

export function sourceList(source: string, text: string): SourceList {
  return { source, entries: parseList(source, Buffer.from(text), { format: 'list' }).entries };
}

/** The prefixes in those sets of a listing by nft that rules look into. */
export function blockedIn(listing: string): string[] {
  const found: string[] = [];
  for (const [, name = '', body = ''] of listing.matchAll(/set (\w+) \{([^}]*\}?[^}]*)\}/g)) {
    const [, length = ''] = name.split('_');
    if (!listing.includes(`@${name} `)) continue;
    const elements = /elements = \{([^}]*)\}/.exec(body)?.[1] ?? '';
    for (const element of elements.split(',').map((one) => one.trim())) {
      if (element !== '') found.push(`${element}/${length}`);
    }
  }
  return found.sort();
}

/** A log that remembers what was said. */
export class Said implements Log {
  readonly events: string[] = [];
  info(event: string): void {
    this.events.push(event);
  }
  warn(event: string): void {
    this.events.push(event);
  }
  error(event: string): void {
    this.events.push(event);
  }
}

export interface RigOptions {
  readonly directory: string;
  readonly targets?: readonly Target[];
  readonly onStep?: (step: string) => void;
}

export class Rig {
  readonly programs: ManifestPrograms;
  readonly nftables: NftablesTarget;
  readonly enforcer: Enforcer;
  readonly log = new Said();
  readonly kept: string[] = [];
  /** What the admin allows, and whether the one address that is probed answers. */
  allowed: readonly string[] = [];
  answers = true;

  constructor(prefix: readonly string[], options: RigOptions) {
    const { directory, onStep } = options;
    mkdirSync(directory, { recursive: true });
    this.programs = new ManifestPrograms(prefix);
    this.nftables = new NftablesTarget({
      programs: this.programs,
      directory,
      directions: DIRECTIONS,
      onStep,
    });
    this.enforcer = new Enforcer({
      targets: [this.nftables, ...(options.targets ?? [])],
      guards: async () => guardsFrom({ ...NO_FACTS, allowed: this.allowed }),
      probe: new Probe({
        required: [{ host: '192.0.2.1', port: 1 }],
        peers: async () => [],
        confirmMs: 0,
        answers: async () => this.answers,
      }),
      keep: async ({ version }) => void this.kept.push(version),
      log: this.log,
      onStep,
    });
  }

  /** The prefixes that the kernel blocks, by its own listing. */
  async blocked(): Promise<string[]> {
    return blockedIn((await this.nft('list', 'table', 'inet', 'peerage_firewall')).stdout);
  }

  /** Runs nft as an admin would, beside the plugin. */
  nft(...args: readonly string[]) {
    const [command = 'nft', ...rest] = [...this.programs.prefix, 'nft', ...args];
    return execute(command, rest);
  }
}

/** A namespace for the tests of one suite. */
export class NftGround {
  private readonly namespaces = new Namespaces(uniqueName());
  readonly prefix: readonly string[];

  constructor() {
    this.namespaces.add('fw');
    this.namespaces.configure('fw', ['link set lo up']);
    this.prefix = ['ip', 'netns', 'exec', this.namespaces.of('fw')];
  }

  rig(directory: string, options: Omit<RigOptions, 'directory'> = {}): Rig {
    return new Rig(this.prefix, { ...options, directory: join(directory, 'data') });
  }

  dispose(): void {
    this.namespaces.dispose();
  }
}
