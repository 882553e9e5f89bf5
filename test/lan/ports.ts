/** Ports that nobody uses at the moment, for nodes that share this machine's loopback. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A TCP port that was free on `address` a moment ago. */
export async function freePort(address: string): Promise<number> {
  const server = createServer().listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  server.close();
  await once(server, 'close');
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}
