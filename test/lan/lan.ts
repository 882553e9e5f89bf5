/**
 * A LAN of real hosts on one machine, with a thin line to an origin.
 *
 * ```
 *   h1 ─┐
 *   h2 ─┼─ switch ── router ══ thin line ══ origin
 *   h3 ─┘  10.77.0.0/24        198.51.100.0/24
 * ```
 * Every box is a network namespace, every line a veth pair, the switch a bridge. Rates are held by
 * tbf on both ends of a line, so both directions are shaped. The origin is routed, not on-link.
 * Hosts know each other and the origin by name; there is no other name service and no way out.
 * Invariant: whatever `create` made is gone after `dispose`, after a failure half-way, and after
 * the end of this process (cleanup.ts).
 */
import { CodedError, type Disposable } from '@peerage/sdk';
import { Host } from './host.js';
import { missingForLan, Namespaces } from './namespaces.js';
import { Workspace } from './workspace.js';

/** Hosts in one LAN: the addresses 10.77.0.11 to .250. */
const MAX_HOSTS = 240;
const FIRST_HOST_NUMBER = 11;
const LAN_NETWORK = '10.77.0';
const LINE_NETWORK = '198.51.100';
/** Bytes that wait at a shaped line: less than 256 kB starves large segments. */
const QUEUE_BYTES = 512 * 1024;
/** Bytes that may pass at once: four of the largest segments that the kernel hands down. */
const BURST_BYTES = 256 * 1024;
/** The part of a second that a burst may last at most, so that slow lines stay evenly slow. */
const BURST_SECONDS = 0.02;
/** No burst below this passes whole packets reliably. */
const MIN_BURST_BYTES = 8 * 1024;

/** Least, usual and most that a connection of the origin buffers: what it counts was nearly sent. */
const ORIGIN_BUFFER_BYTES = '4096 65536 262144';

/** The origin's name, the same on every host. */
export const ORIGIN_NAME = 'origin.test';

export interface LanOptions {
  readonly hosts: number;
  /** Rate of the line between router and origin, each way. */
  readonly internetRateKbit: number;
  /** Rate of each host's own link, each way; unlimited by default. */
  readonly linkRateKbit?: number;
  /** Numbers (from 1) of the hosts that have no way to the Internet. */
  readonly offlineHosts?: readonly number[];
}

export class Lan implements Disposable {
  readonly hosts: readonly Host[];
  readonly origin: Host;
  readonly router: Host;
  readonly name: string;
  readonly #workspace: Workspace;
  readonly #namespaces: Namespaces;

  private constructor(options: LanOptions) {
    this.#workspace = new Workspace();
    this.name = this.#workspace.name;
    this.#namespaces = new Namespaces(this.name);
    this.hosts = Array.from({ length: options.hosts }, (_, index) =>
      this.#host(`h${index + 1}`, `${LAN_NETWORK}.${FIRST_HOST_NUMBER + index}`),
    );
    this.router = this.#host('router', `${LAN_NETWORK}.1`);
    this.origin = this.#host('origin', `${LINE_NETWORK}.2`);
  }

  /**
   * Builds a LAN.
   * @throws CodedError `E_LAB_UNAVAILABLE` where there can be none, `E_LAB_COMMAND` if it fails
   */
  static create(options: LanOptions): Lan {
    const missing = missingForLan();
    if (missing !== undefined) throw new CodedError('E_LAB_UNAVAILABLE', missing);
    if (!Number.isInteger(options.hosts) || options.hosts < 1 || options.hosts > MAX_HOSTS) {
      throw new CodedError('E_LAB_OPTIONS', `a LAN of ${options.hosts} hosts`, {
        expected: `1 to ${MAX_HOSTS} hosts`,
      });
    }
    const lan = new Lan(options);
    try {
      lan.#build(options);
    } catch (error) {
      lan.dispose();
      throw error;
    }
    return lan;
  }

  /** The host with this number, from 1. */
  host(number: number): Host {
    const host = this.hosts[number - 1];
    if (host === undefined) throw new CodedError('E_LAB_OPTIONS', `there is no host ${number}`);
    return host;
  }

  /** Kills everything that runs on the LAN and takes the LAN down. */
  dispose(): void {
    this.#namespaces.dispose();
    this.#workspace.dispose();
  }

  #host(name: string, address: string): Host {
    return new Host(this.#namespaces, name, address, `${this.#workspace.directory}/${name}`);
  }

  #build(options: LanOptions): void {
    const files = this.#files();
    this.#namespaces.add('switch');
    this.#namespaces.configure('switch', [
      'link add bridge type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
      'link set bridge up',
      'link set lo up',
    ]);
    for (const host of [this.router, this.origin, ...this.hosts]) {
      this.#namespaces.add(host.name, files);
      this.#namespaces.configure(host.name, ['link set lo up']);
    }
    this.#buildLine(options.internetRateKbit);
    for (const host of [this.router, ...this.hosts]) this.#plug(host);
    for (const [index, host] of this.hosts.entries()) {
      if (options.linkRateKbit !== undefined) this.#shapeLink(host, options.linkRateKbit);
      if (!options.offlineHosts?.includes(index + 1)) host.goOnline();
    }
  }

  #files(): Record<string, string> {
    const known = [...this.hosts, this.router].map(({ name, address }) => `${address} ${name}`);
    const lines = ['127.0.0.1 localhost', `${this.origin.address} ${ORIGIN_NAME}`, ...known];
    return {
      hosts: `${lines.join('\n')}\n`,
      'resolv.conf': 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n',
    };
  }

  /** The line from router to origin. */
  #buildLine(rateKbit: number): void {
    const { origin, router } = this;
    const peer = `type veth peer name eth0 netns ${this.#namespaces.of(origin.name)}`;
    this.#namespaces.configure(router.name, [
      `link add line ${peer}`,
      `address add ${LINE_NETWORK}.1/24 broadcast ${LINE_NETWORK}.255 dev line`,
      'link set line up',
    ]);
    this.#namespaces.configure(origin.name, [
      `address add ${origin.address}/24 broadcast ${LINE_NETWORK}.255 dev eth0`,
      'link set eth0 up',
      `route add default via ${LINE_NETWORK}.1`,
    ]);
    this.#namespaces.set(router.name, 'net.ipv4.ip_forward', 1);
    this.#namespaces.set(origin.name, 'net.ipv4.tcp_wmem', ORIGIN_BUFFER_BYTES);
    this.#shape(router.name, 'line', rateKbit);
    this.#shape(origin.name, 'eth0', rateKbit);
  }

  /** The cable from a host to the switch. */
  #plug(host: Host): void {
    const peer = `type veth peer name eth0 netns ${this.#namespaces.of(host.name)}`;
    this.#namespaces.configure('switch', [
      `link add ${host.name} ${peer}`,
      `link set ${host.name} master bridge`,
      `link set ${host.name} up`,
    ]);
    this.#namespaces.configure(host.name, [
      `address add ${host.address}/24 broadcast ${LAN_NETWORK}.255 dev eth0`,
      'link set eth0 up',
    ]);
  }

  #shapeLink(host: Host, rateKbit: number): void {
    this.#shape(host.name, 'eth0', rateKbit);
    this.#shape('switch', host.name, rateKbit);
  }

  #shape(role: string, device: string, rateKbit: number): void {
    const steady = Math.round((rateKbit * 1000 * BURST_SECONDS) / 8);
    const burst = Math.max(MIN_BURST_BYTES, Math.min(BURST_BYTES, steady));
    const limits = `burst ${burst}b limit ${QUEUE_BYTES}b`;
    this.#namespaces.control(
      role,
      `qdisc replace dev ${device} root tbf rate ${rateKbit}kbit ${limits}`,
    );
  }
}
