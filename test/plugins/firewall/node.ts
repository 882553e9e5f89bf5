/**
 * Nodes of one LAN in memory, each with a source of the firewall: real feeds, agents and enforcer,
 * a target that remembers in the place of nft.
 */
import { join } from 'node:path';
import type { Blocks } from '@peerage/firewall/compile.js';
import { Enforcer } from '@peerage/firewall/enforcer.js';
import { guardsFrom } from '@peerage/firewall/guards.js';
import { formatPrefix } from '@peerage/firewall/prefix.js';
import { Probe } from '@peerage/firewall/probe.js';
import type { SourceSettings } from '@peerage/firewall/settings.js';
import { Hub, lastGood, openSource, type Source } from '@peerage/firewall/sources.js';
import { SuricataTarget } from '@peerage/firewall/suricata/target.js';
import type { Target } from '@peerage/firewall/target.js';
import { Wishes } from '@peerage/firewall/wishes.js';
import type { ResourceRequest } from '@peerage/sdk';
import type { FakeLan, FakeNode } from '../../update-agent/fake-lan.js';
import { ManifestPrograms } from './programs.js';
import { Said } from './rig.js';
import { NO_FACTS, POLICY } from './settings.js';

export const URL = 'http://lists.test/own.netset';

export function source(more: Partial<SourceSettings> = {}): SourceSettings {
  const name = 'own';
  return { ...POLICY, name, format: 'list', url: URL, unauthenticated: 'accept', ...more };
}

/** Holds what it is told to, unless it is told to fail. */
export class MemoryTarget implements Target {
  readonly name = 'memory';
  blocks: Blocks | undefined;
  fails: Error | undefined;

  async check(): Promise<void> {}

  async holds(): Promise<string | undefined> {
    return this.blocks?.version;
  }

  async put(to: Blocks): Promise<void> {
    const { fails } = this;
    this.fails = undefined;
    if (fails !== undefined) throw fails;
    this.blocks = to;
  }

  get blocked(): string[] {
    return (this.blocks?.prefixes ?? []).map(formatPrefix);
  }
}

export class MemoryStorage {
  readonly values = new Map<string, unknown>();
  async get(key: string): Promise<unknown> {
    return this.values.get(key);
  }
  async set(key: string, value: unknown): Promise<void> {
    this.values.set(key, value);
  }
}

export interface NodeOptions {
  readonly directory: string;
  readonly role?: 'poll' | 'listen';
  /** Whose news are believed where nobody signs; everybody's by default: no election. */
  readonly provider?: string;
  readonly hasInternet?: boolean;
  readonly settings?: SourceSettings;
  readonly storage?: MemoryStorage;
}

export class FirewallNode {
  readonly target = new MemoryTarget();
  readonly programs = new ManifestPrograms();
  readonly log = new Said();
  readonly storage: MemoryStorage;
  readonly wishes: Wishes;
  readonly enforcer: Enforcer;
  readonly node: FakeNode;
  nowMs = Date.parse('2026-11-22T22:00:00Z');
  private opened: Source | undefined;
  private readonly lan: FakeLan;
  private readonly options: NodeOptions;

  constructor(lan: FakeLan, name: string, options: NodeOptions) {
    this.lan = lan;
    this.options = options;
    this.node = lan.node(name, options.hasInternet ?? true);
    this.storage = options.storage ?? new MemoryStorage();
    this.wishes = new Wishes(this.storage);
    this.enforcer = new Enforcer({
      targets: [this.target],
      guards: async () => this.guards(),
      probe: new Probe({ required: [], peers: async () => [], confirmMs: 0 }),
      keep: async () => undefined,
      log: this.log,
    });
  }

  /** Opens the source and puts what was in force last in force, as the plugin does. */
  async start(): Promise<this> {
    const { directory, settings = source(), role = 'poll', provider } = this.options;
    await this.wishes.open();
    const hub = new Hub(this.node);
    this.opened = await openSource(settings, {
      directory,
      node: this.node.name,
      lan: hub,
      role: async () => role,
      believes: (one) => provider === undefined || one === provider,
      pins: () => this.wishes.pins,
      peering: { open: (request) => this.open(request), publish: (one) => this.node.publish(one) },
      storage: this.storage,
      now: () => this.nowMs,
      enforcer: this.enforcer,
      guards: async () => this.guards(),
      suricata: new SuricataTarget({ ...this, path: this.rules }),
      minRules: 2,
      log: this.log,
    });
    const list = await lastGood(this.opened, this.log);
    await this.enforcer.start(list === undefined ? [] : [list]);
    await hub.start();
    await this.opened.agent.start();
    return this;
  }

  get source(): Source {
    if (this.opened === undefined) throw new Error('not started');
    return this.opened;
  }

  /** The file that Suricata would load. */
  get rules(): string {
    return join(this.options.directory, 'suricata.rules');
  }

  /** A check by the schedule; the reason why it failed, if it did. */
  async check(): Promise<string> {
    const report = await this.source.agent.check('time');
    const failed = report.failure ?? report.components.find((one) => one.failure)?.failure;
    return failed === undefined ? report.outcome : `${failed.code}: ${failed.message}`;
  }

  private guards() {
    return guardsFrom({ ...NO_FACTS, subnets: ['10.77.0.11/24'], allowed: this.wishes.allowed });
  }

  /** As the core does: `no-cache` goes past every copy. The LAN in memory knows SHA-256 alone. */
  private open(request: ResourceRequest) {
    if (request.headers?.['cache-control'] === 'no-cache') this.lan.shared.delete(request.url);
    const { policy, ...plain } = request;
    return this.node.open(policy?.digest?.algorithm === 'md5' ? plain : request);
  }
}
