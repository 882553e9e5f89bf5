/**
 * A plugin host with a well-behaved plugin that measures its own calls, for the scenarios that put
 * something beside it. The host is the product's own, in this process; content is at hand, so that
 * what is measured is the host.
 */
import { mkdirSync } from 'node:fs';
import type { CommandResult } from '@peerage/sdk';
import { contentOf } from '../fakes/content.js';
import { HostRig, type PluginText, pluginSource } from '../host/rig.js';
import { Workspace } from './workspace.js';

const URL_AT_HAND = 'https://steady.example/x';

/** What a run of calls came to; times in milliseconds. */
export interface Measured {
  readonly calls: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
}

const MEASURE = `
  async measure(durationMs, inFlight) {
    const times = [];
    let failed = 0;
    const endAt = performance.now() + durationMs;
    const one = async () => {
      while (performance.now() < endAt) {
        const from = performance.now();
        try {
          for await (const chunk of (await this.peeringservice.open({ url: '${URL_AT_HAND}' })).body) void chunk;
        } catch { failed += 1; }
        times.push(performance.now() - from);
      }
    };
    const from = performance.now();
    await Promise.all(Array.from({ length: inFlight }, one));
    const elapsedMs = performance.now() - from;
    times.sort((a, b) => a - b);
    const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
    return { calls: times.length, failed, p50Ms: at(0.5), p99Ms: at(0.99), perSecond: times.length * 1000 / elapsedMs };
  }
  async activate() {
    await this.commandservice.onCommand('measure', async ([duration, inFlight]) => {
      return { text: '', json: await this.measure(Number(duration), Number(inFlight)) };
    });
  }`;

export const STEADY: PluginText = {
  source: pluginSource(['PeeringService', 'CommandService'], MEASURE),
  urls: ['https://steady.example/*'],
  manifest: { commands: [{ name: 'measure', description: 'measures its own calls' }] },
};

export class SteadyHost {
  readonly rig: HostRig;
  private readonly workspace = new Workspace();

  constructor() {
    const directory = `${this.workspace.directory}/host`;
    mkdirSync(directory);
    this.rig = new HostRig(directory);
    this.rig.transfer.serve(URL_AT_HAND, contentOf('steady', 1000));
  }

  /** Lets the steady plugin call for this long; `inFlight` calls at once. */
  async measure(durationMs: number, inFlight = 1): Promise<Measured> {
    const args = [String(durationMs), String(inFlight)];
    const result: CommandResult = await this.rig.host.run('steady', 'measure', args, true);
    return result.json as Measured;
  }

  /** Makes these the plugins beside the steady one. */
  async beside(plugins: Readonly<Record<string, PluginText>>): Promise<void> {
    await this.rig.configure({ steady: STEADY, ...plugins });
    await this.rig.host.reload();
  }

  async end(): Promise<void> {
    await this.rig.end();
    this.workspace.dispose();
  }
}
