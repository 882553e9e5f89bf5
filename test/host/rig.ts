/** A plugin host with real plugin processes, whose plugins a test writes as it needs them. */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CallServices } from '@peerage/core/host/calls/table.js';
import { PluginHosting } from '@peerage/core/host/host.js';
import type { PluginTimes } from '@peerage/core/host/plugin-process.js';
import { parseConfiguration } from '@peerage/core/ports/configuration.js';
import type { PluginStatus } from '@peerage/core/ports/ports.js';
import { systemClock } from '@peerage/core/system.js';
import { RecordingLogger } from '../fakes/log.js';
import { useScratch } from '../fakes/scratch.js';
import { FakeTransfer } from '../fakes/transfer.js';

/** The SDK as the tests themselves resolve it. */
export const SDK_DIRECTORY = dirname(dirname(fileURLToPath(import.meta.resolve('@peerage/sdk'))));

/** Short enough for a test, long enough for a busy machine. */
export const SHORT_TIMES: PluginTimes = {
  activateMs: 15_000,
  shutdownMs: 1000,
  pingMs: 150,
  backoffMs: 10,
};

/** Plain JavaScript for what a compiler makes of a decorated class. */
export function pluginSource(services: readonly string[], body: string, before = ''): string {
  const names = services.map((service) => service.toLowerCase());
  return `import * as sdk from '@peerage/sdk';
import { CodedError, ${[...new Set(['Plugin', 'injectable', ...services])].join(', ')} } from '@peerage/sdk';
${before}
class Demo extends Plugin {
  constructor(${names.join(', ')}) { super(); ${names.map((n) => `this.${n} = ${n};`).join(' ')} }
  ${body}
}
Reflect.defineMetadata('design:paramtypes', [${services.join(', ')}], Demo);
injectable()(Demo);
export default Demo;
`;
}

export interface PluginText {
  readonly source: string;
  readonly urls?: readonly string[];
  readonly entry?: object;
  readonly manifest?: object;
}

export class HostRig {
  readonly transfer = new FakeTransfer();
  readonly logger = new RecordingLogger();
  readonly directory: string;
  /** What the calls are carried out by beside the transfer. */
  services: Partial<CallServices> = {};
  private running: PluginHosting | undefined;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Starts a host with these plugins, by id. */
  async start(plugins: Readonly<Record<string, PluginText>>, times = SHORT_TIMES): Promise<void> {
    const text = await this.configure(plugins);
    this.running = new PluginHosting({
      ...this.services,
      configuration: parseConfiguration(text, join(this.directory, 'plugins.json')),
      stateDirectory: this.directory,
      transfer: this.transfer,
      coreVersion: '9.9.9',
      clock: systemClock,
      logger: this.logger,
      times,
    });
    await this.running.start();
  }

  get host(): PluginHosting {
    if (this.running === undefined) throw new Error('the host was not started');
    return this.running;
  }

  /** Writes these plugins, and a plugins.json that names them; returns its text. */
  async configure(plugins: Readonly<Record<string, PluginText>>): Promise<string> {
    const entries: Record<string, object> = {};
    for (const [id, text] of Object.entries(plugins)) {
      await writePlugin(this.directory, id, text);
      entries[id] = { use: `./${id}`, ...text.entry };
    }
    const text = JSON.stringify({ plugins: entries }, undefined, 1);
    await writeFile(join(this.directory, 'plugins.json'), text);
    return text;
  }

  /** The host itself, once it was started. */
  get hosting(): PluginHosting {
    if (this.host === undefined) throw new Error('the host was not started');
    return this.host;
  }

  plugins(): PluginStatus[] {
    return this.running?.plugins() ?? [];
  }

  status(id = 'demo'): PluginStatus {
    const found = this.plugins().find((plugin) => plugin.id === id);
    if (found === undefined) throw new Error(`there is no plugin ${id}`);
    return found;
  }

  /** The fields of the plugin's next log line of this name, or of the one that was there. */
  async said(event: string, times = 1): Promise<Readonly<Record<string, unknown>>> {
    const lines = await this.logger.until(event, times);
    return lines[times - 1]?.fields ?? {};
  }

  async end(): Promise<void> {
    await this.running?.stop();
  }
}

/** Writes a plugin's package into a directory of its own below `parent`; unchanged files stay. */
export async function writePlugin(
  parent: string,
  id: string,
  { source, urls = ['*'], manifest = {} }: PluginText,
): Promise<string> {
  const directory = join(parent, id);
  await mkdir(join(directory, 'node_modules', '@peerage'), { recursive: true });
  const peerage = { api: 1, id, urls, settings: { type: 'object' }, ...manifest };
  const content = { name: id, version: '1.0.0', type: 'module', main: 'plugin.js', peerage };
  await writeNew(join(directory, 'package.json'), JSON.stringify(content));
  await writeNew(join(directory, 'plugin.js'), source);
  const link = join(directory, 'node_modules', '@peerage', 'sdk');
  await symlink(SDK_DIRECTORY, link).catch(() => undefined);
  return directory;
}

/** Writes a file unless it says so already: its time tells whether it has changed. */
async function writeNew(path: string, text: string): Promise<void> {
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known !== text) await writeFile(path, text);
}

/** Call it inside `describe`; gives the rig of the test that runs. */
export function useHost(): () => HostRig {
  const scratch = useScratch();
  let rig: HostRig;
  beforeEach(async () => {
    rig = new HostRig(scratch('h'));
    await mkdir(rig.directory);
  });
  afterEach(() => rig.end());
  return () => rig;
}

/** Whether a process runs. */
export function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
