/**
 * Where the provider learns of new versions: the header of a database at a private mirror.
 *
 * The first 512 bytes say the version, so they are all that is asked for, as freshclam does; the
 * peering service fetches whole resources, so this one question goes on a connection of its own
 * to the addresses that the core has judged. Invariant: never the publisher's own servers, which
 * serve only freshclam and cvdupdate.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { CodedError, type PeeringService } from '@peerage/sdk';
import { type DatabaseHeader, parseHeader } from './header.js';
import { HEADER_BYTES } from './limits.js';

/** Time for a mirror to send 512 bytes, in milliseconds. */
const PROBE_TIMEOUT_MS = 20_000;

const PUBLISHERS_OWN = /(^|\.)clamav\.net$/i;

export class MirrorSource {
  private readonly base: URL;
  private readonly peering: Pick<PeeringService, 'route'>;

  /** @throws CodedError `E_CLAMAV_SOURCE` */
  constructor(base: string, peering: Pick<PeeringService, 'route'>) {
    this.base = new URL(base.endsWith('/') ? base : `${base}/`);
    this.peering = peering;
    if (PUBLISHERS_OWN.test(this.base.hostname)) {
      throw new CodedError('E_CLAMAV_SOURCE', `${this.base.host} serves freshclam alone`, {
        expected: 'a private mirror, or "freshclam"',
        action: 'set clamav.source to "freshclam"; this machine then runs it for the LAN',
      });
    }
  }

  /** The URL that names this version of a database for ever, as cvdupdate writes it. */
  databaseUrl(database: string, version: number): string {
    return new URL(`${database}.cvd?version=${version}`, this.base).href;
  }

  differenceUrl(database: string, version: number): string {
    return new URL(`${database}-${version}.cdiff`, this.base).href;
  }

  signUrl(name: string): string {
    return new URL(name, this.base).href;
  }

  /** The header of the newest version. @throws CodedError `E_CLAMAV_SOURCE`, `E_CVD_HEADER` */
  async header(database: string): Promise<DatabaseHeader> {
    const url = new URL(`${database}.cvd`, this.base);
    const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
    const route = await this.peering.route(url.hostname, port);
    let last: unknown;
    for (const address of route.addresses) {
      try {
        return parseHeader(await firstBytes(url, address, route.port));
      } catch (error) {
        last = error;
      }
    }
    throw last instanceof CodedError
      ? last
      : new CodedError('E_CLAMAV_SOURCE', `${url.href} cannot be asked`, {
          action: 'check clamav.source and the line to it',
          cause: last,
        });
  }
}

/** The first bytes of a resource, whether the server knows ranges or not. */
function firstBytes(url: URL, address: string, port: number): Promise<Buffer> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = request({
      host: address,
      port,
      path: `${url.pathname}${url.search}`,
      servername: url.hostname,
      agent: false,
      timeout: PROBE_TIMEOUT_MS,
      headers: { host: url.host, range: `bytes=0-${HEADER_BYTES - 1}`, accept: '*/*' },
    });
    const timer = setTimeout(() => sent.destroy(new Error('no answer')), PROBE_TIMEOUT_MS);
    sent.once('close', () => clearTimeout(timer));
    sent.once('error', reject);
    sent.once('response', (response) => {
      collect(response, url)
        .then(resolve, reject)
        .finally(() => sent.destroy());
    });
    sent.end();
  });
}

async function collect(response: IncomingMessage, url: URL): Promise<Buffer> {
  if (response.statusCode !== 200 && response.statusCode !== 206) {
    throw new CodedError('E_CLAMAV_SOURCE', `${url.href} answered ${response.statusCode}`, {
      expected: 'status 200 or 206',
      action: 'check clamav.source and clamav.databases',
    });
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= HEADER_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, HEADER_BYTES);
}
