/**
 * Our own addresses: so that a request for them is refused as a loop instead of coming back.
 *
 * Names that resolve to us by a detour are not seen here; the `Via` trail catches those.
 */
import { networkInterfaces } from 'node:os';

const WILDCARDS = new Set(['0.0.0.0', '::']);

export class OwnAddresses {
  private readonly listeners: Array<{ readonly address: string; readonly port: number }> = [];

  add(address: string, port: number): void {
    this.listeners.push({ address, port });
  }

  /** Does one of our listeners answer there? `host` as in a URL, or a bare address. */
  includes(host: string, port: number): boolean {
    const name = host.replace(/^\[|\]$/g, '').toLowerCase();
    return this.listeners.some((listener) => {
      if (listener.port !== port) return false;
      if (listener.address === name) return true;
      const isLocal = isLoopback(name) || interfaceAddresses().has(name);
      if (WILDCARDS.has(listener.address) || WILDCARDS.has(name)) return isLocal || isAny(name);
      return isLoopbackName(name) && isLoopback(listener.address);
    });
  }

  includesUrl(url: URL): boolean {
    const implied = url.protocol === 'https:' ? 443 : 80;
    return this.includes(url.hostname, url.port === '' ? implied : Number(url.port));
  }
}

function isAny(name: string): boolean {
  return WILDCARDS.has(name);
}

function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name === 'localhost.' || name.endsWith('.localhost');
}

function isLoopback(name: string): boolean {
  return isLoopbackName(name) || name.startsWith('127.') || name === '::1';
}

function interfaceAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.map(({ address }) => address.toLowerCase()));
}
