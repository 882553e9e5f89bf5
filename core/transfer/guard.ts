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
  ['168.63.129.16', 32],
  ['192.0.0.0', 24],
  ['192.88.99.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 96],
  ['::ffff:0:0', 96],
  ['::ffff:0:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 32],
  ['2002::', 16],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
  ['fd00:ec2::254', 128],
  ['fd20:ce::254', 128],
];

const family = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** Networks of one family each: a BlockList takes ::ffff:0:0/96 for every IPv4 address there is. */
class Networks {
  private readonly lists = { ipv4: new BlockList(), ipv6: new BlockList() };

  add(network: string, prefix: number): void {
    const kind = family(network);
    this.lists[kind].addSubnet(network, prefix, kind);
  }

  has(address: string): boolean {
    const kind = family(address);
    return this.lists[kind].check(address, kind);
  }
}

export class AddressGuard {
  private readonly denied = new Networks();
  private readonly allowed = new Networks();

  /**
   * @param allow networks (CIDR) that the admin allows although they are local
   * @throws CodedError `E_CONFIG_INVALID`
   */
  constructor(allow: readonly string[]) {
    for (const [network, prefix] of DENIED) this.denied.add(network, prefix);
    for (const cidr of allow) {
      const [network = '', prefix = 'none'] = cidr.split('/');
      try {
        if (!/^\d{1,3}$/.test(prefix)) throw new Error('no number of bits');
        this.allowed.add(network, Number(prefix));
      } catch (cause) {
        throw new CodedError('E_CONFIG_INVALID', `core.originAllow: ${cidr} is no network`, {
          expected: 'an address, a slash and a number of bits, for example 10.1.0.0/16',
          cause,
        });
      }
    }
  }

  /** Whether an address may be connected to. */
  permits(address: string): boolean {
    // A zone (fe80::1%eth0) is a link of this machine's.
    if (isIP(address) === 0 || address.includes('%')) return false;
    if (this.allowed.has(address)) return true;
    return !this.denied.has(address) && !isOnLink(address);
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
    const found = host === '' ? [] : await resolve(host, { all: true, verbatim: true });
    if (found.length === 0) throw new Error('it has no address');
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
  const own = new Networks();
  for (const { address: mine, cidr } of Object.values(networkInterfaces()).flatMap(
    (i) => i ?? [],
  )) {
    const bits = cidr?.split('/')[1] ?? (isIP(mine) === 6 ? 128 : 32);
    own.add(mine, Number(bits));
  }
  return own.has(address);
}
