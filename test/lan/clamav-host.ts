/**
 * A host with ClamAV: the real freshclam, clamd and clamscan at their usual places, a database
 * directory of its own at the usual place, and trust in the lab's publisher.
 *
 * Everything that runs here has a mount namespace of its own (`ip netns exec` makes it), in which
 * the libraries with the lab's keys and the host's databases lie over those of the machine; so the
 * machine's are neither used nor changed.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Clamd } from '@peerage/antivirus/clamav/clamd.js';
import type { ExchangedLibrary } from './clamav-programs.js';
import type { Command, CommandOptions, Finished, RunOptions } from './command.js';
import type { Host } from './host.js';
import type { Place } from './place.js';
import { until } from './until.js';

/** Where Debian's ClamAV has its databases. */
export const DATABASE_DIRECTORY = '/var/lib/clamav';
/** clamd has loaded a small database by then, in milliseconds. */
const START_DEADLINE_MS = 60_000;

export class ClamavHost implements Place {
  readonly name: string;
  readonly address: string;
  readonly directory: string;
  /** Where the databases of this host really are. */
  readonly databases: string;
  readonly clamd: Clamd;
  readonly #host: Host;
  readonly #libraries: readonly ExchangedLibrary[];

  constructor(host: Host, libraries: readonly ExchangedLibrary[]) {
    this.#host = host;
    this.#libraries = libraries;
    this.name = host.name;
    this.address = host.address;
    this.directory = host.directory;
    this.databases = join(host.directory, 'clamav');
    mkdirSync(this.databases);
    this.clamd = new Clamd(this.socket);
  }

  get socket(): string {
    return join(this.directory, 'clamd.ctl');
  }

  spawn(command: string, args: readonly string[], options: CommandOptions = {}): Command {
    const binds = [
      ...this.#libraries.map(({ original, copy }) => `mount --bind '${copy}' '${original}'`),
      `mount --bind '${this.databases}' '${DATABASE_DIRECTORY}'`,
    ];
    const script = `${binds.join(' && ')} && exec "$@"`;
    return this.#host.spawn('sh', ['-c', script, 'sh', command, ...args], options);
  }

  run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return this.spawn(command, args, options).within(options.deadlineMs);
  }

  /** Starts clamd and waits until it answers. */
  async startClamd(): Promise<void> {
    const file = join(this.directory, 'clamd.conf');
    const lines = [
      `LocalSocket ${this.socket}`,
      `DatabaseDirectory ${DATABASE_DIRECTORY}`,
      `LogFile ${join(this.directory, 'clamd.log')}`,
      'Foreground yes',
      'ConcurrentDatabaseReload yes',
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    this.spawn('clamd', ['--config-file', file]);
    const look = async () => {
      return (await this.clamd.ask('PING').catch(() => undefined)) === 'PONG' ? true : undefined;
    };
    await until(`clamd answers on ${this.name}`, START_DEADLINE_MS, look);
  }

  /** Whether clamd finds something in a file. */
  async detects(path: string): Promise<boolean> {
    return (await this.clamd.ask(`SCAN ${path}`)).endsWith('FOUND');
  }
}
