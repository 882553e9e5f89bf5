/**
 * The address guard: which addresses a request of a client may lead to. Without it any machine
 * that may use the proxy could reach this machine's own services, its neighbours and cloud
 * metadata. Literal and resolved addresses are judged alike, and the connection goes to the very
 * address that was judged (no second look-up that could answer differently).
 */
import { lookup as resolve } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { CodedError } from '@peerage/sdk';

/**
 * Ranges that are never an origin: this host, link-local, metadata, multicast, embedded IPv4. The
 * list itself judges IPv4-mapped IPv6 by the IPv4 ranges.
 */
const DENIED: ReadonlyArray<readonly [network: string, prefix: number]> = [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['100.100.100.200', 32],
  ['192.0.0.192', 32],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 127],
  ['64:ff9b::', 96],
  ['2002::', 16],
  ['fe80::', 10],
  ['ff00::', 8],
  ['fd00:ec2::254', 128],
];

const family = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

export class AddressGuard {
  private readonly denied = new BlockList();
  private readonly allowed = new BlockList();

  /** @param allow networks (CIDR) that the admin allows although they are local */
  constructor(allow: readonly string[]) {
    for (const [network, prefix] of DENIED) this.denied.addSubnet(network, prefix, family(network));
    for (const cidr of allow) {
      const [network = '', prefix = ''] = cidr.split('/');
      this.allowed.addSubnet(network, Number(prefix), family(network));
    }
  }

  /** Whether an address may be connected to. */
  permits(address: string): boolean {
    const kind = isIP(address);
    if (kind === 0) return false;
    if (this.allowed.check(address, family(address))) return true;
    return !this.denied.check(address, family(address)) && !isOnLink(address);
  }

  /**
   * The addresses of a host, all of them permitted.
   * @throws CodedError `E_ADDRESS_DENIED`, `E_ORIGIN_UNREACHABLE`
   */
  async resolve(host: string): Promise<string[]> {
    const literal = host.replace(/^\[(.*)\]$/, '$1');
    const addresses = isIP(literal) > 0 ? [literal] : await lookUp(literal);
    const refused = addresses.find((address) => !this.permits(address));
    if (refused !== undefined) {
      throw new CodedError('E_ADDRESS_DENIED', `${host} leads to ${refused}, a local address`, {
        expected: 'an origin outside this machine and its own network',
        action: 'if it is meant, add its network to core.originAllow',
      });
    }
    return addresses;
  }
}

async function lookUp(host: string): Promise<string[]> {
  try {
    const found = await resolve(host, { all: true, verbatim: true });
    return found.map(({ address }) => address);
  } catch (cause) {
    throw new CodedError('E_ORIGIN_UNREACHABLE', `${host} cannot be resolved`, {
      action: 'check the name and the DNS of this machine',
      cause,
    });
  }
}

/** Whether an address is on one of our own networks (or is our own). */
function isOnLink(address: string): boolean {
  const own = new BlockList();
  for (const { address: mine, cidr, family: kind } of Object.values(networkInterfaces()).flatMap(
    (i) => i ?? [],
  )) {
    const prefix = Number(cidr?.split('/')[1] ?? 128);
    own.addSubnet(mine, prefix, kind === 'IPv6' ? 'ipv6' : 'ipv4');
  }
  return own.check(address, family(address));
}
