/**
 * The other members of an idle group, in one process: `node crowd-program.js ADDRESS BROADCAST FILE`
 * reads identities (a JSON list of PEM) from a file and says hello for each every 10 s, spread
 * evenly, as nodes of their own would. It runs until it is ended.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { scheduler } from 'node:timers/promises';
import { OBJECT_PORT, PACKET_PORT } from '@peerage/core/protocol/limits.js';
import type { Message } from '@peerage/core/protocol/message.js';
import { identityFromPem } from '@peerage/core/trust/authority.js';
import { Sealer } from '@peerage/core/wire/seal.js';

const BEACON_MS = 10_000;

const [address = '', broadcast = '', file = ''] = process.argv.slice(2);
const identities = JSON.parse(readFileSync(file, 'utf8')) as string[];
const sealers = identities.map((pem, index) => {
  const { group, kid, key, certificate } = identityFromPem(pem, file, Date.now());
  const boot = Buffer.alloc(16, index).toString('base64url');
  const text = certificate.raw.toString('base64url');
  return new Sealer({ group, kid, boot, port: OBJECT_PORT, key, certificate: text });
});
const hello: Message = {
  type: 'hello',
  client: true,
  server: true,
  internet: true,
  starting: false,
  peers: sealers.length,
};
const socket = createSocket({ type: 'udp4', reuseAddr: true });
socket.bind(PACKET_PORT, address);
await once(socket, 'listening');
socket.setBroadcast(true);
// A beat is what this program is for: it stands for nodes, and no test waits for it.
for (let next = 0; ; next = (next + 1) % sealers.length) {
  const bytes = sealers[next]?.seal(hello, address, Date.now(), true);
  if (bytes !== undefined) socket.send(bytes, PACKET_PORT, broadcast);
  await scheduler.wait(BEACON_MS / sealers.length);
}
