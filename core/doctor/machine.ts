/**
 * The doctor's look at the machine itself: network cards and masks, the way to the Internet, the
 * disk, the firewall's rules. Needs no running node. Every look fails softly: what cannot be looked
 * at is said, not guessed.
 */
import { execFile } from 'node:child_process';
import { readdirSync, type StatsFs } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import {
  type InterfaceTable,
  isOnLink,
  type LanInterface,
  suitableInterfaces,
} from '../peering/interfaces.js';
import type { CoreSettings } from '../ports/settings.js';
import { bad, type Finding, ok, warn } from './finding.js';

const run = promisify(execFile);

/** Below this the store cannot take an ordinary package. */
const FREE_BYTES_MIN = 100 * 1024 * 1024;
const PROGRAM_TIMEOUT_MS = 5000;

/** @param names of all interfaces, also of those without a cable, which have no addresses here */
export function checkInterfaces(
  core: CoreSettings,
  table: InterfaceTable = networkInterfaces(),
  names: readonly string[] = allInterfaces(),
): Finding[] {
  const found: Finding[] = [];
  const used = suitableInterfaces(table, core.address);
  const usable = used.map(({ name, address, netmask }) => `${name} ${address}/${netmask}`);
  if (used.length === 0) {
    const remedy = 'plug a cable in or join a network; or name an address in core.address';
    found.push(bad('interfaces', `no LAN interface for core.address "${core.address}"`, remedy));
  } else found.push(ok('interfaces', usable.join(', ')));
  for (const { name, address } of selfAssigned(table)) {
    const remedy = `connect ${name} to the LAN (DHCP), or set core.address to the right address`;
    const what = `${name} has only the address ${address} that it gave itself: no DHCP answered`;
    found.push(warn('interface-dhcp', what, remedy));
  }
  const bridges = names.filter((name) => /^(docker|br-|virbr|podman|cni)/.test(name));
  if (bridges.length > 0) {
    const what = `${bridges.join(', ')} belong to containers or virtual machines and are left out`;
    const remedy = 'nothing, unless nodes run inside: then set core.address there';
    found.push(warn('bridges', what, remedy));
  }
  return found;
}

function allInterfaces(): string[] {
  try {
    return readdirSync('/sys/class/net');
  } catch {
    return Object.keys(networkInterfaces());
  }
}

function selfAssigned(table: InterfaceTable): Array<{ name: string; address: string }> {
  return Object.entries(table).flatMap(([name, addresses = []]) => {
    const own = addresses.filter(({ family }) => family === 'IPv4');
    const [first] = own;
    const all = own.every(({ address }) => address.startsWith('169.254.'));
    return first !== undefined && all ? [{ name, address: first.address }] : [];
  });
}

/** Default routes, from the text of /proc/net/route: interface and gateway. */
export function defaultRoutes(text: string): Array<{ name: string; gateway: string }> {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, destination, , flags]) => destination === '00000000' && flags !== undefined)
    .map(([name = '', , gateway = '']) => ({ name, gateway: hexAddress(gateway) }));
}

/** Address as the kernel prints it: bytes backwards, hexadecimal. */
function hexAddress(hex: string): string {
  const bytes = hex.match(/../g) ?? [];
  return bytes
    .reverse()
    .map((byte) => Number.parseInt(byte, 16))
    .join('.');
}

/** Whether there is a way out, and whether the netmask fits it. */
export function judgeRoutes(
  routes: ReadonlyArray<{ readonly name: string; readonly gateway: string }>,
  lans: readonly LanInterface[],
  internet: boolean,
): Finding[] {
  if (routes.length === 0) {
    if (!internet) return [ok('internet', 'none, as core.internet says')];
    const remedy = 'set the gateway; or core.internet to false if this machine is to have none';
    return [bad('internet', 'there is no default route: no way to the Internet', remedy)];
  }
  return routes.map(({ name, gateway }) => {
    const own = lans.filter((lan) => lan.name === name);
    const fits = own.length === 0 || own.some((lan) => isOnLink(lan, gateway));
    if (fits) return ok('netmask', `the gateway ${gateway} is on ${name}'s network`);
    const { address, netmask } = own[0] ?? { address: '', netmask: '' };
    const what = `the gateway ${gateway} is not on the network of ${address}, mask ${netmask}`;
    return bad('netmask', what, `give ${name} the mask that the other machines have`);
  });
}

export async function checkRoutes(core: CoreSettings): Promise<Finding[]> {
  const text = await readFile('/proc/net/route', 'utf8').catch(() => undefined);
  if (text === undefined) return [];
  const lans = suitableInterfaces(networkInterfaces(), 'auto');
  return judgeRoutes(defaultRoutes(text), lans, core.internet);
}

/** The store's file system; of a directory that is not there yet, that of its parents. */
export async function checkDisk(directory: string): Promise<Finding> {
  const { bavail, bsize, blocks } = await fileSystemOf(directory);
  const freeBytes = bavail * bsize;
  const mib = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`;
  const what = `${mib(freeBytes)} free of ${mib(blocks * bsize)} for ${directory}`;
  if (freeBytes >= FREE_BYTES_MIN) return ok('disk', what);
  const remedy = 'free space, lower core.storeQuotaMiB, or move core.storeDirectory';
  return bad('disk', what, remedy);
}

async function fileSystemOf(directory: string): Promise<StatsFs> {
  try {
    return await statfs(directory);
  } catch (error) {
    const parent = dirname(directory);
    if (parent === directory) throw error;
    return fileSystemOf(parent);
  }
}

/** The machine's own packet filter, as far as this user may read it. */
export async function checkFirewall(core: CoreSettings): Promise<Finding[]> {
  const listed = await run('nft', ['list', 'ruleset'], { timeout: PROGRAM_TIMEOUT_MS }).catch(
    () => undefined,
  );
  return listed === undefined ? [] : judgeFirewall(listed.stdout, core);
}

/** Rules that drop our ports by number, or drop all that is not named while not naming ours. */
export function judgeFirewall(ruleset: string, core: CoreSettings): Finding[] {
  const ports = [
    ['udp', core.packetPort],
    ['tcp', core.objectPort],
  ] as const;
  const findings = ports.flatMap(([protocol, port]) => {
    const rules = ruleset.split('\n').filter((line) => {
      return new RegExp(`\\b${protocol}\\b.*\\bdport\\b.*\\b${port}\\b`).test(line);
    });
    const dropped = rules.some((line) => /\b(drop|reject)\b/.test(line));
    const allowed = rules.some((line) => /\baccept\b/.test(line));
    const closed = /hook input[^;]*;\s*policy drop/.test(ruleset) && !allowed;
    if (!dropped && !closed) return [];
    const open = `nft add rule inet filter input ${protocol} dport ${port} accept`;
    const what = `the packet filter drops what comes to ${protocol.toUpperCase()} ${port}`;
    return [bad('firewall', what, `open it to the LAN, for example: ${open}`)];
  });
  return findings.length > 0 ? findings : [ok('firewall', 'no rule of nftables drops our ports')];
}
