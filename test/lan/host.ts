/**
 * One host of the LAN: a namespace in which programs run, with a cable that can be pulled.
 */
import { mkdirSync } from 'node:fs';
import { Command, type CommandOptions, type Finished, type RunOptions } from './command.js';
import type { Namespaces } from './namespaces.js';
import { inPlace, type Place } from './place.js';

const GATEWAY = '10.77.0.1';

export class Host implements Place {
  readonly name: string;
  readonly address: string;
  readonly directory: string;
  readonly #namespaces: Namespaces;

  constructor(namespaces: Namespaces, name: string, address: string, directory: string) {
    this.#namespaces = namespaces;
    this.name = name;
    this.address = address;
    this.directory = directory;
    mkdirSync(directory);
  }

  /** Starts a program on this host; `ip netns exec` becomes the program, so the pid is its own. */
  spawn(command: string, args: readonly string[], options: CommandOptions = {}): Command {
    const inside = ['netns', 'exec', this.#namespaces.of(this.name), command, ...args];
    return new Command('ip', inside, inPlace(this.directory, options));
  }

  run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return this.spawn(command, args, options).within(options.deadlineMs);
  }

  /** Pulls the cable out at the switch: the host stays up and sees no carrier. */
  linkDown(): void {
    this.#namespaces.configure('switch', [`link set ${this.name} down`]);
  }

  linkUp(): void {
    this.#namespaces.configure('switch', [`link set ${this.name} up`]);
  }

  /** Lets programs here send from somebody else's address, without taking his answers from him. */
  borrowAddress(address: string): void {
    this.#namespaces.set(this.name, 'net.ipv4.conf.all.arp_ignore', 1);
    this.#namespaces.set(this.name, 'net.ipv4.conf.all.arp_announce', 2);
    this.#namespaces.configure(this.name, [`address add ${address}/32 dev lo`]);
  }

  /** Gives the host further addresses of the LAN. */
  addAddresses(addresses: readonly string[]): void {
    const lines = addresses.map((address) => `address add ${address}/24 dev eth0`);
    this.#namespaces.configure(this.name, lines);
  }

  /** Gives the host the way to the Internet. */
  goOnline(): void {
    this.#namespaces.configure(this.name, [`route replace default via ${GATEWAY}`]);
  }

  /** Takes the way to the Internet away; the LAN stays. */
  goOffline(): void {
    this.#namespaces.configure(this.name, ['route delete default']);
  }

  /** Kills every process on this host at once, as a power cut would; returns how many. */
  killAll(): number {
    return this.#namespaces.kill(this.name);
  }
}
