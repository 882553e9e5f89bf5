/**
 * Which network cards take part, with the broadcast address of each (PROTOCOL §1.2). Pure over the
 * operating system's list, so that it can be tested with any list.
 */
import type { NetworkInterfaceInfo } from 'node:os';

/** One address that packets leave from and arrive at. */
export interface LanInterface {
  readonly name: string;
  readonly address: string;
  readonly broadcast: string;
  readonly netmask: string;
}

export type InterfaceTable = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** IPv4 text as a 32-bit number. */
export function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

/** The directed broadcast address of an interface. */
export function broadcastOf(address: string, netmask: string): string {
  return toText((toNumber(address) | ~toNumber(netmask)) >>> 0);
}

/** Whether `address` is on the network of `lan`. */
export function isOnLink(lan: LanInterface, address: string): boolean {
  const mask = toNumber(lan.netmask);
  return (toNumber(address) & mask) >>> 0 === (toNumber(lan.address) & mask) >>> 0;
}

/** Point-to-point and container networks are no LAN of the office's. */
const UNSUITABLE = /^(docker|br-|veth|virbr|tun|tap|wg|ppp|podman|cni)/;
/** Smallest network that can hold a peer: /30. */
const NETMASK_MAX = 0xfffffffc;

/**
 * The suitable interfaces.
 * @param setting `auto`, or the one address that is to be used
 */
export function suitableInterfaces(table: InterfaceTable, setting: string): LanInterface[] {
  const found: LanInterface[] = [];
  if (setting.startsWith('127.')) {
    const netmask = '255.0.0.0';
    return [{ name: 'lo', address: setting, netmask, broadcast: broadcastOf(setting, netmask) }];
  }
  for (const [name, addresses] of Object.entries(table)) {
    for (const { address, netmask, family, internal } of addresses ?? []) {
      if (family !== 'IPv4' || internal || toNumber(netmask) > NETMASK_MAX) continue;
      const chosen = setting === 'auto' ? !UNSUITABLE.test(name) : address === setting;
      if (chosen) found.push({ name, address, netmask, broadcast: broadcastOf(address, netmask) });
    }
  }
  return found;
}
