/**
 * An organisation's private mirror, as the provider sees it: a server for the question what is
 * newest, and the same files in the table that the fake peering service takes for the Internet.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ClamavPublisher, type PublishedVersion } from '../../fakes/clamav-publisher.js';
import type { FakeLan } from '../../update-agent/fake-lan.js';

export const SOURCE = 'http://mirror.test/clamav/';
/** RSA keys take a second, and every test can use the same. */
export const publisher = new ClamavPublisher();
export const versions: readonly PublishedVersion[] = publisher.versions('test', 6);

export function versionOf(number: number): PublishedVersion {
  const found = versions[number - 1];
  if (found === undefined) throw new Error(`there is no version ${number}`);
  return found;
}

export class ClamavOrigin {
  /** How often it was asked what is newest. */
  questions = 0;
  private readonly lan: FakeLan;
  private readonly server: Server;

  private constructor(lan: FakeLan) {
    this.lan = lan;
    this.server = createServer((request, response) => {
      this.questions += 1;
      const found = lan.origin.get(new URL(request.url ?? '/', SOURCE).href);
      response.statusCode = found === undefined ? 404 : 206;
      response.end(found === undefined ? '' : Buffer.from(found.body).subarray(0, 512));
    });
  }

  static async start(lan: FakeLan): Promise<ClamavOrigin> {
    const origin = new ClamavOrigin(lan);
    await new Promise<void>((resolve) => origin.server.listen(0, '127.0.0.1', resolve));
    lan.originPort = (origin.server.address() as AddressInfo).port;
    return origin;
  }

  /** Makes this version the newest, with the differences of all before. */
  publish(number: number): void {
    this.put('test.cvd', versionOf(number).database);
    for (const { version, difference } of versions.slice(1, number)) {
      this.put(`test-${version}.cdiff`, difference);
    }
  }

  put(name: string, body: Uint8Array | string, type?: string): void {
    this.lan.origin.set(`${SOURCE}${name}`, { body, ...(type === undefined ? {} : { type }) });
  }

  remove(name: string): void {
    this.lan.origin.delete(`${SOURCE}${name}`);
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
