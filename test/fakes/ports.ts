/** Ports for servers that must be told theirs before they listen. */
import { type AddressInfo, createServer } from 'node:net';

/** A TCP port of this address that was free a moment ago. */
export async function freePort(address: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
