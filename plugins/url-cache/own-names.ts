/**
 * By which names clients may reach the pages and mirrors of this machine: against DNS rebinding.
 *
 * A web page can make its own host name lead to 127.0.0.1 and then read what a mirror answers, as if
 * it were its own server; the browser says that name in `Host`. So a name must be one of ours. An
 * address cannot be rebound and is always right; the proxy's own requests name their target's host
 * and are not looked at here.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { CodedError } from '@peerage/sdk';

export class OwnNames {
  private readonly names: ReadonlySet<string>;

  /** @param configured further names by which clients reach this machine */
  constructor(configured: readonly string[] = []) {
    const machine = hostname().toLowerCase();
    const [short = machine] = machine.split('.');
    const own = configured.map((name) => name.toLowerCase());
    this.names = new Set(['localhost', machine, short, ...own]);
  }

  /** Refuses a request that names another host than this one. */
  refuseForeign(request: IncomingMessage): void {
    const { host } = request.headers;
    if (host === undefined || this.includes(host)) return;
    throw new CodedError(
      'E_HOST_FOREIGN',
      `${JSON.stringify(host.slice(0, 80))} is not this machine`,
      {
        expected: 'an address, localhost, or a name of this machine',
        action:
          'if clients reach this machine by that name, add it to "names" in the settings of url-cache',
      },
    );
  }

  private includes(host: string): boolean {
    const match = /^(\[[0-9a-f:.]+\]|[^\s/?#@\\:[\]]+)(:[0-9]{1,5})?$/i.exec(host);
    const name = match?.[1]?.toLowerCase().replace(/\.$/, '') ?? '';
    if (isIP(name.replace(/^\[|\]$/g, '')) !== 0) return true;
    return this.names.has(name) || name.endsWith('.localhost');
  }
}
