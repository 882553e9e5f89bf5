/** One node of the LAN: its store, its way to the Internet, its programs, the plugins on it. */
import { readFile } from 'node:fs/promises';
import type { PluginGrant, PluginManifest, ProgramResult } from '@peerage/sdk';
import type { PluginClass } from '@peerage/sdk/construct.js';
import type { Packet, TestLan } from './lan.js';
import { TestPlugin } from './plugin.js';

/** A copy in a node's store. */
export interface StoredCopy {
  readonly body: Uint8Array;
  readonly status: number;
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly sha256: string;
  readonly expiresAtMs: number;
}

/** What a program of the machine does in this test. */
export type TestProgram = (
  args: readonly string[],
  stdin: string | Uint8Array | undefined,
) => Promise<Partial<ProgramResult>> | Partial<ProgramResult>;

export interface StartOptions {
  /** The plugin's package.json, or its manifest. */
  readonly manifest: URL | PluginManifest;
  /** Over the defaults of the manifest's schema. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** What the admin grants; everything that the manifest wishes if absent. */
  readonly grant?: PluginGrant;
}

export class TestNode {
  readonly name: string;
  readonly lan: TestLan;
  /** Whether it may use the Internet. */
  internet = true;
  /** By URL or URI. */
  readonly store = new Map<string, StoredCopy>();
  /** By the command of the manifest. */
  readonly programs = new Map<string, TestProgram>();
  readonly plugins: TestPlugin[] = [];

  constructor(name: string, lan: TestLan) {
    this.name = name;
    this.lan = lan;
  }

  /** Constructs and activates a plugin here. @throws what it throws */
  async start(pluginClass: PluginClass, options: StartOptions): Promise<TestPlugin> {
    const manifest = await readManifest(options.manifest);
    const plugin = new TestPlugin(this, manifest, options);
    this.plugins.push(plugin);
    await plugin.activate(pluginClass);
    return plugin;
  }

  async end(): Promise<void> {
    for (const plugin of this.plugins.splice(0).reverse()) await plugin.stop();
  }

  /** The copy that is fresh now. */
  fresh(url: string): StoredCopy | undefined {
    const copy = this.store.get(url);
    return copy !== undefined && copy.expiresAtMs > this.lan.clock.wallMs() ? copy : undefined;
  }

  hear(packet: Packet, from: string): void {
    for (const plugin of this.plugins) plugin.hear(packet, from);
  }

  electionChanged(service: string): void {
    for (const plugin of this.plugins) plugin.electionChanged(service);
  }
}

const DEFAULTS = { displayName: '', election: 'none', activation: ['start'] } as const;

async function readManifest(source: URL | PluginManifest): Promise<PluginManifest> {
  if (!(source instanceof URL)) return { ...DEFAULTS, ...source };
  const { peerage } = JSON.parse(await readFile(source, 'utf8')) as { peerage: PluginManifest };
  return { ...DEFAULTS, ...peerage };
}
