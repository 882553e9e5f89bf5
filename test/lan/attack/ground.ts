/**
 * Ground for attacks: one real node with the CA on the first host, which is attacked; identities for
 * programs that call like members on the others; and what the node says of itself meanwhile.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { succeeded } from '../command.js';
import type { Host } from '../host.js';
import { Lan } from '../lan.js';
import { type NodeConfig, PeerageNode } from '../node.js';

const LINE_RATE_KBIT = 100_000;
export const GROUP_NAME = 'office';
export const PACKET_PORT = 1967;
export const OBJECT_PORT = 6515;
const VICTIM_PRIORITY = -15;
/** Of the kernel's accounting in /proc: the same on every Linux that we know. */
const TICKS_PER_SECOND = 100;

export interface VictimStatus {
  readonly kid: string;
  readonly warnings: ReadonlyArray<{ readonly kind: string; readonly message: string }>;
  readonly lan: {
    readonly counters: Readonly<Record<string, number>>;
    readonly banned: readonly string[];
  };
  readonly uploads: Readonly<Record<string, number>>;
}

export class Ground {
  readonly lan: Lan;
  victim: PeerageNode;

  private constructor(lan: Lan) {
    this.lan = lan;
    this.victim = new PeerageNode(lan.host(1));
  }

  /** A LAN whose first host has a CA and no running node yet. */
  static async prepare(hosts: number): Promise<Ground> {
    const ground = new Ground(Lan.create({ hosts, internetRateKbit: LINE_RATE_KBIT }));
    try {
      const { victim } = ground;
      mkdirSync(victim.stateDirectory, { recursive: true, mode: 0o700 });
      const named = ['--group', GROUP_NAME, '--name', victim.place.name];
      succeeded('peerage ca init', await victim.command('ca', 'init', ...named));
      return ground;
    } catch (error) {
      ground.lan.dispose();
      throw error;
    }
  }

  get hosts(): readonly Host[] {
    return this.lan.hosts;
  }

  /** What stands in the victim's plugins.json; before it is started. */
  configure(config: NodeConfig): void {
    this.victim = new PeerageNode(this.lan.host(1), config);
  }

  /**
   * Starts the victim. All hosts of the LAN share one machine; an attacked one would have its own,
   * so the node goes before what the attackers take of the processor.
   */
  async startVictim(): Promise<void> {
    await this.victim.start();
    setPriority(this.victim.pid, VICTIM_PRIORITY);
  }

  /** The CA's bundle, as only somebody on the victim's own machine could have it. */
  get authorityPem(): string {
    return readFileSync(join(this.victim.stateDirectory, 'ca', 'ca.pem'), 'utf8');
  }

  /** A member's identity, in a file. */
  async identityFile(name: string): Promise<string> {
    const file = join(this.victim.place.directory, `${name}.pem`);
    const issue = ['ca', 'issue', name, '--out', file];
    succeeded(`peerage ca issue ${name}`, await this.victim.command(...issue));
    return file;
  }

  async status(): Promise<VictimStatus> {
    return JSON.parse(await this.local('/status')) as VictimStatus;
  }

  /** How late the victim's event loop was since this was asked last: 99 % of the time, ms. */
  async loopDelayMs(): Promise<number> {
    const metrics = await this.local('/metrics');
    const match = /event_loop_delay_seconds\{quantile="p99"\} ([0-9.e+-]+)/.exec(metrics);
    return Number(match?.[1] ?? Number.NaN) * 1000;
  }

  /** CPU seconds that the victim's core has used. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.victim.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** What the victim answers on its own socket, without the cost of a command. */
  async local(path: string): Promise<string> {
    const socketPath = join(this.victim.stateDirectory, 'control.sock');
    const asked = request({ socketPath, path, agent: false });
    const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      asked.once('response', resolve).once('error', reject).end();
    });
    return text(response);
  }

  async end(): Promise<void> {
    await this.victim.stop();
    this.lan.dispose();
  }
}

/** Sum of the counters whose names begin so. */
export function sumOf(counters: Readonly<Record<string, number>>, prefix: string): number {
  const own = Object.entries(counters).filter(([name]) => name.startsWith(prefix));
  return own.reduce((sum, [, count]) => sum + count, 0);
}
